"""Leaflet is the published one, with its licence beside it, and the wheel holds all files of the page."""

import hashlib
import tomllib
from pathlib import Path

from setuptools import find_namespace_packages

from tuning.predict.page import write_page

FOLDER = Path(write_page.__file__).parent
DIGESTS = {  # of dist/ in the package leaflet 1.9.4 at npm
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
}


def test_leaflet_is_as_published_with_its_licence() -> None:
    for name, digest in DIGESTS.items():
        assert hashlib.sha256((FOLDER / "leaflet" / name).read_bytes()).hexdigest() == digest
    assert "BSD 2-Clause License" in (FOLDER / "leaflet" / "LICENSE.txt").read_text()


def test_wheel_holds_the_page_s_files() -> None:
    root = Path(__file__).parents[4]
    setup = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = setup["package-data"]["*"]
    for folder, names in (
        (FOLDER, {"map.js", "map.css", "map.html.j2"}),
        (FOLDER / "leaflet", {*DIGESTS, "LICENSE.txt"}),
    ):
        kept = {path.name for pattern in patterns for path in folder.glob(pattern)}
        assert kept == names
        package = ".".join(folder.relative_to(root).parts)
        include = setup["packages"]["find"]["include"]
        assert package in find_namespace_packages(str(root), include=include)
