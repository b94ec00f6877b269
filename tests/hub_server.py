"""A small server on 127.0.0.1 that answers as the Hub does, logs every request, and fails in many ways on demand."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secretsecretsecretsecretsecretsecr"
SIGNATURE = "X-Amz-Signature=signedsignedsigned"
HANG = 0.6  # seconds of silence; the tests make the client wait for less


@dataclass(frozen=True)
class Request:
    """One line of the log. token: whether the request carried one."""

    method: str
    path: str
    token: bool


@dataclass
class HubServer:
    """Repositories by name (`owner/repo`, `datasets/owner/repo`) with their files; `with` starts and stops it.

    private: only TOKEN may read. commit: of every branch. fault: a key of FAULTS, or None. uploads: what was pushed.
    """

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    commit: str = COMMIT
    fault: str | None = None
    requests: list[Request] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> HubServer:
        handler = type("Bound", (Handler,), {"hub": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.elsewhere = f"http://localhost:{self.port}"  # another host to a client: where large files come from
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, repo: str, path: str, content: bytes) -> str:
        """Put a file into a repository; its SHA-256."""
        self.repos.setdefault(repo, {})[path] = content
        return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """HEAD and GET of resolve addresses, of what they redirect to, and the few calls that an upload takes."""

    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Standard error belongs to the tests."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._may_read():
            return self.reply(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        for ending, answer in UPLOAD_CALLS.items():
            if ending in self.path:
                return self.reply_json(answer(self, body))
        return self.reply(404)

    def do_PUT(self) -> None:
        self._note()
        self.hub.uploads[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(200)

    def _note(self) -> None:
        self.hub.requests.append(Request(self.command, self.path, "Authorization" in self.headers))

    def _answer(self) -> None:
        self._note()
        where, fault = self._where(), self.hub.fault
        if fault and FAULTS[fault][0] == where:
            return FAULTS[fault][1](self)
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/cdn/"):
            return self._send_content(path.removeprefix("/cdn/"))
        if "/resolve/" in path:
            return self._resolve(path)
        return self.reply(404)

    def _where(self) -> str:
        return "content" if self.path.startswith("/cdn/") else self.command

    def _may_read(self) -> bool:
        return not self.hub.private or self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _resolve(self, path: str) -> None:
        repo, _, rest = path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        if not self._may_read() or repo not in self.hub.repos:
            return self.reply(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", self.hub.commit):
            return self.reply(404, {"X-Error-Code": "RevisionNotFound"})
        content = self.hub.repos[repo].get(name)
        if content is None:
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.hub.commit})
        return self.redirect_to_content(content)

    def redirect_to_content(self, content: bytes, **changes: str | None) -> None:
        """As the Hub answers for a large file; `changes` to the headers, `_` for `-`, None leaves one out."""
        sha256 = hashlib.sha256(content).hexdigest()
        headers: dict[str, str | None] = {
            "X-Repo-Commit": self.hub.commit,
            "X-Linked-Etag": f'"{sha256}"',
            "X-Linked-Size": str(len(content)),
            "ETag": f'"{sha256}"',
            "Location": f"{self.hub.elsewhere}/cdn/{sha256}?{SIGNATURE}",
        }
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        self.reply(302, {name: value for name, value in headers.items() if value is not None})

    def content(self) -> bytes:
        """The content that the request is about; the only one there is, if the address does not tell."""
        every = [content for files in self.hub.repos.values() for content in files.values()]
        named = [c for c in every if hashlib.sha256(c).hexdigest() in self.path]
        return (named or every)[0]

    def _send_content(self, sha256: str) -> None:
        content, start = self.content(), 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.reply(206 if start else 200, {"ETag": f'"{sha256}"', **headers}, content[start:])

    def reply(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, answer: object) -> None:
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def reset(self) -> None:
        """Drop the connection so that the client sees a reset, not an end."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def hang(self) -> None:
        self.wfile.flush()
        threading.Event().wait(HANG)  # not time.sleep, which tests replace for the client
        self.close_connection = True


Fault = Callable[[Handler], None]


def status(code: int, error: str = "") -> Fault:
    return lambda handler: handler.reply(code, {"X-Error-Code": error} if error else None)


def lead_to(location: str) -> Fault:
    """A redirect to `location`, where {here} and {elsewhere} are the server's two hosts and {path} the request's."""

    def fault(handler: Handler) -> None:
        hub = handler.hub
        target = location.format(here=hub.endpoint, elsewhere=hub.elsewhere, path=handler.path)
        handler.reply(302, {"Location": target})

    return fault


def odd_headers(**changes: str | None) -> Fault:
    return lambda handler: handler.redirect_to_content(handler.content(), **changes)


def odd_content(change: Callable[[bytes], bytes]) -> Fault:
    """Content of a right length statement and a wrong content."""
    return lambda handler: handler.reply(200, {}, change(handler.content()))


def broken_off(end: Fault) -> Fault:
    """Half of the content under the length of all of it, every time, and then `end`."""

    def fault(handler: Handler) -> None:
        content = handler.content()
        handler.reply(200, {"Content-Length": str(len(content))}, content[: len(content) // 2])
        end(handler)

    return fault


def gibberish(handler: Handler) -> None:
    handler.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


def close(handler: Handler) -> None:
    handler.wfile.flush()
    handler.close_connection = True


def login_page(handler: Handler) -> None:
    handler.reply(200, {"Content-Type": "text/html", "ETag": '"page"'}, b"<html>Please log in to the network</html>")


FAULTS: dict[str, tuple[str, Fault]] = {  # name: (HEAD of the address, or "content"), what happens there
    "no such repository": ("HEAD", status(404, "RepoNotFound")),
    "no such revision": ("HEAD", status(404, "RevisionNotFound")),
    "no such file": ("HEAD", status(404, "EntryNotFound")),
    "not found at all": ("HEAD", status(404)),
    "unauthorised": ("HEAD", status(401)),
    "gated": ("HEAD", status(403, "GatedRepo")),
    "forbidden": ("HEAD", status(403)),
    "too many requests": ("HEAD", status(429)),
    "internal error": ("HEAD", status(500)),
    "bad gateway": ("HEAD", status(502)),
    "reset at once": ("HEAD", Handler.reset),
    "silence": ("HEAD", Handler.hang),
    "gibberish": ("HEAD", gibberish),
    "redirect loop": ("HEAD", lead_to("{here}{path}")),
    "redirect to no address": ("content", lead_to("gopher://nowhere/")),
    "login page": ("HEAD", login_page),
    "no commit": ("HEAD", odd_headers(X_Repo_Commit=None)),
    "commit that climbs": ("HEAD", odd_headers(X_Repo_Commit="../../../../escaped")),
    "no etag": ("HEAD", odd_headers(X_Linked_Etag=None, ETag=None)),
    "etag that climbs": ("HEAD", odd_headers(X_Linked_Etag='"../../../escaped"')),
    "content gone": ("content", status(404)),
    "content forbidden": ("content", status(403)),
    "content error": ("content", status(500)),
    "content reset": ("content", broken_off(Handler.reset)),
    "content silence": ("content", broken_off(Handler.hang)),
    "content cut": ("content", broken_off(close)),
    "content short": ("content", odd_content(lambda content: content[:-10])),
    "content long": ("content", odd_content(lambda content: content + b"more")),
    "content empty": ("content", odd_content(lambda content: b"")),
    "content changed": ("content", odd_content(lambda content: content[:-1] + bytes([content[-1] ^ 1]))),
    "content loop": ("content", lead_to("{elsewhere}{path}")),
}


def _create(handler: Handler, body: bytes) -> object:
    asked = json.loads(body)
    return {"url": f"{handler.hub.endpoint}/{asked['organization']}/{asked['name']}"}


def _preupload(handler: Handler, body: bytes) -> object:
    modes = [
        {"path": f["path"], "uploadMode": "lfs" if Path(f["path"]).suffix == ".safetensors" else "regular"}
        for f in json.loads(body)["files"]
    ]
    return {"files": [{**mode, "shouldIgnore": False} for mode in modes]}


def _batch(handler: Handler, body: bytes) -> object:
    asked = json.loads(body)["objects"]
    place = {o["oid"]: {"upload": {"href": f"{handler.hub.endpoint}/upload/{o['oid']}"}} for o in asked}
    return {"transfer": "basic", "objects": [{**o, "authenticated": True, "actions": place[o["oid"]]} for o in asked]}


def _commit(handler: Handler, body: bytes) -> object:
    handler.hub.uploads["commit"] = body
    repo, oid = handler.path.removeprefix("/api/models/").partition("/commit/")[0], handler.hub.commit
    return {"commitUrl": f"{handler.hub.endpoint}/{repo}/commit/{oid}", "commitOid": oid, "success": True}


UPLOAD_CALLS: dict[str, Callable[[Handler, bytes], object]] = {  # part of the address: what is answered
    "/api/repos/create": _create,
    "/api/validate-yaml": lambda handler, body: {"errors": [], "warnings": []},
    "/preupload/": _preupload,
    "/info/lfs/objects/batch": _batch,
    "/commit/": _commit,
}
