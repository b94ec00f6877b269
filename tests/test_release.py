"""The release tool, citation and lowest versions agree with the package."""

from datetime import date

import hfpie_cli
from tools import floors, release

TODAY = date.today().isoformat()


def test_the_citation_is_of_this_version():
    assert f"version: {hfpie_cli.__version__}" in release.text("CITATION.cff").splitlines()


def test_a_release_needs_a_dated_heading_and_its_version():
    assert release.faults("1.2.3", f"# Changelog\n\n## 1.2.3 ({TODAY})\n", "version: 1.2.3\n") == []
    assert len(release.faults("1.2.3", "## 1.2.3 (unreleased)\n", "version: 1.2.2\n")) == 2
    assert "CHANGELOG.md" in release.faults("1.2.3", "## 1.2.3 (2001-01-01)\n", "version: 1.2.3\n")[0]


def test_every_floor_is_one_release():
    assert len(floors.floors()) == 12
    for floor in floors.floors():
        name, _, version = floor.partition("==")
        assert name.replace("-", "").isalnum()
        assert version.replace(".", "").isdigit()
