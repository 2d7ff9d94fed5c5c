"""``constraints.txt`` pins an exact version of every package that the project requires."""

import re
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.support.pinned_versions import list_pin_lines, read_pins

ROOT = Path(__file__).parents[2]


def test_every_version_is_pinned_exactly_and_once() -> None:
    assert len(read_pins()) == len(list_pin_lines()) > 50


def test_every_requirement_of_the_project_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *project["optional-dependencies"]["test"],
        *project["optional-dependencies"]["cluster"],
    ]
    names = {canonicalize_name(re.split(r"[\[<>=!~; ]", line)[0]) for line in requirements}
    assert names - read_pins().keys() == set()
    assert all(">=" in line for line in requirements)
