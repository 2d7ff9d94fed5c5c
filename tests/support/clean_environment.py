"""An environment with only some installed packages and what they need: links, so that nothing is installed again."""

import csv
import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def list_needed(*names: str) -> list[importlib.metadata.Distribution]:
    """List the installed distributions of some packages and of everything that they require, as pip resolves it."""
    found: dict[str, importlib.metadata.Distribution] = {}
    todo = [(canonicalize_name(name), frozenset[str]()) for name in names]
    seen = set(todo)
    while todo:
        name, extras = todo.pop()
        found[name] = importlib.metadata.distribution(name)
        for one in map(Requirement, found[name].requires or []):
            wanted = (canonicalize_name(one.name), frozenset(one.extras))
            if wanted not in seen and _applies(one, extras):
                seen.add(wanted)
                todo.append(wanted)
    return list(found.values())


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras})


def make_environment(folder: Path, *names: str) -> Path:
    """Make a virtual environment in a folder with some packages and their requirements; return its programs' folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    here = Path(sysconfig.get_path("purelib"))
    there = folder / here.relative_to(sys.prefix)
    needed = list_needed(*names)
    own = {path for one in needed for path in _read_record(one)}
    others = {
        _top(path) for one in importlib.metadata.distributions() for path in _read_record(one) - own
    }
    # A folder that another package shares, such as google/, is linked file by file.
    for path in {path if _top(path) in others else _top(path) for path in own}:
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        (there / path).symlink_to(here / path)
    for entry in (entry for one in needed for entry in one.entry_points):
        if entry.group == "console_scripts":
            lines = f"#!{folder}/bin/python\nimport sys\nfrom {entry.module} import {entry.attr} as main\n"
            program = folder / "bin" / entry.name
            program.write_text(f"{lines}sys.exit(main())\n")
            program.chmod(0o755)
    return folder / "bin"


def _read_record(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the paths of a package's files below site-packages."""
    lines = (distribution.read_text("RECORD") or "").splitlines()
    paths = {row[0] for row in csv.reader(lines)}
    return {path for path in paths if not path.startswith(("..", "/"))}


def _top(path: str) -> str:
    return path.partition("/")[0]
