"""Finds the packages of this project where the working folder hides them, such as by its own ``data/`` or ``models.py``.

Importing this module does it; each command imports it first. ``python -m`` looks into the working folder before the
installed packages, so that a user's own ``data.py`` would be taken for this project's ``data``. Only the standard library
is imported here. ``python -m data.check`` cannot be helped: Python itself finds the other ``data`` first.
"""

from __future__ import annotations  # the doctor loads in Pythons older than 3.10

import importlib.util
import sys
from pathlib import Path

NAMES = ("data", "models")
HOME = Path(__file__).resolve().parents[1]


def find_foreign() -> Path | None:
    """Return the file or folder that Python would import instead of one of this project's packages; None without one."""
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if spec is None or not any(Path(place).resolve() == HOME / name for place in places):
            origin = spec.origin if spec else None
            return Path(origin or (places[0] if places else name))
    return None


def prefer_own_packages() -> None:
    """Leave out the working folder from Python's search if it hides a package of this project.

    Raises:
        SystemExit: If another folder hides it; the message names it.
    """
    if find_foreign() is None:
        return
    here = Path.cwd()
    sys.path[:] = [place for place in sys.path if Path(place) not in (Path(), here) or here == HOME]
    importlib.invalidate_caches()
    for name in NAMES:
        sys.modules.pop(name, None)
    if (foreign := find_foreign()) is not None:
        raise SystemExit(
            f"error: Python must find this project's packages in {HOME}, but {foreign} has the same name and comes first. "
            "Rename it, or leave out its folder: unset PYTHONPATH, or uninstall the package that owns it."
        )


prefer_own_packages()
