"""Read a page as a browser does: its scenes, their pictures, its references."""

import base64
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

VOID = {"meta", "link", "img", "input", "br", "hr"}
REFERENCES = {"src", "href", "srcset", "action", "poster", "data", "formaction"}


@dataclass
class View:
    """A whole or a part: its attributes, and its pictures as files, one a version."""

    facts: dict[str, str]
    labels: list[str] = field(default_factory=list)
    scores: list[str] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)

    def pixels(self, version: int) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.files[version])))


@dataclass
class Scene:
    """A picture of the strip."""

    facts: dict[str, str]
    views: list[View] = field(default_factory=list)


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.references: list[str] = []
        self.scenes: list[Scene] = []
        self.handlers: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        facts = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.references += [value for name, value in facts.items() if name in REFERENCES]
        self.handlers += [name for name in facts if name.startswith("on")]
        if tag == "template":
            self.scenes.append(Scene(facts))
        elif "template" in self._open and tag == "div":
            self.scenes[-1].views.append(View(facts))
        elif "template" in self._open and tag == "img":
            view = self.scenes[-1].views[-1]
            view.labels.append(facts["alt"])
            view.scores.append(facts["data-score"])
            view.files.append(base64.b64decode(facts["src"].partition("base64,")[2]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and data.strip():
            self.texts.append((self._open[-1], data.strip()))

    def text_of(self, tag):
        return [text for name, text in self.texts if name == tag]

    def check_it_stands_alone(self):
        """No reference but to what is in it, and a policy that forbids the browser any other."""
        assert self.references
        assert all(reference.startswith("data:") for reference in self.references)
        assert "http:" not in self.source
        assert "https:" not in self.source
        assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|import\(", self.source)
        assert "default-src 'none'; img-src data:" in self.source
        assert not self.handlers
