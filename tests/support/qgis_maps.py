"""A map folder opened in QGIS, as a user opens it: somewhere else than where it was written."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"  # QGIS is a package of the system, which no virtual environment sees
SCRIPT = Path(__file__).with_name("qgis_check.py")


def have_qgis() -> bool:
    """Return whether the system's Python has QGIS."""
    command = [PYTHON, "-I", "-c", "import qgis.core"]
    return (
        Path(PYTHON).exists()
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def open_in_qgis(folder: Path, scratch: Path) -> tuple[dict, Path]:
    """Open a map folder's `map.qgz` in QGIS, after the folder was moved; skip the test where there is no QGIS.

    Args:
        folder: Folder with `map.qgz`, as `python -m tuning.predict` writes it. It is left as it was.
        scratch: A folder of the test, for the moved folder and the picture.

    Returns:
        What `qgis_check.py` found (`layers`, `crs`, `problems`: empty if all is well), and the map as a PNG file.
    """
    if not have_qgis():
        pytest.skip(f"QGIS is not installed for {PYTHON}: apt-get install python3-qgis")
    moved = scratch / "moved elsewhere" / folder.name
    shutil.copytree(folder, moved)
    away = folder.with_name(f"{folder.name}-away")
    folder.rename(away)  # a project that names its files by their old place finds nothing
    try:
        return _check(moved, scratch)
    finally:
        away.rename(folder)


def _check(folder: Path, scratch: Path) -> tuple[dict, Path]:
    picture = scratch / "qgis.png"
    keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    places = {"HOME": str(scratch), "XDG_RUNTIME_DIR": str(scratch)}
    done = subprocess.run(
        [PYTHON, "-I", SCRIPT, folder, picture],
        env=keep | places | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, f"QGIS did not answer: {done.stderr[-2000:]}"
    return json.loads(lines[-1]), picture
