"""The tested versions are named exactly, and hold all that the project asks for."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.+!-]*)")


def read_pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    wrong = [line for line in lines if line and line[0] != "#" and not PIN.fullmatch(line)]
    assert wrong == []
    return {plain(pin[1]): pin[2] for pin in pins if pin}


def plain(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_version_is_pinned_exactly_and_once() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(read_pins()) == sum(bool(line) and line[0] != "#" for line in lines) > 50


def test_what_the_project_asks_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *project["optional-dependencies"]["test"],
        *project["optional-dependencies"]["cluster"],
    ]
    names = {plain(re.split(r"[\[<>=!~; ]", one)[0]) for one in asked}
    assert names - read_pins().keys() == set()
    assert all(re.search(r">=", one) for one in asked)
