"""Versions of the benchmark and of the packages that decide its results, without importing them."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = "landslide-benchmark"
SHOWN = ("torch", "ray", "mlflow")
COMMIT_VARIABLE = "SOURCE_COMMIT"
UNKNOWN = "unknown"
HOME = Path(__file__).resolve().parents[2]


def read_commit(folder: Path) -> str:
    """Return the code's git commit; outside a repository ``SOURCE_COMMIT``, which the image sets, or ``unknown``."""
    describe = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    command = ["git", "-C", str(folder), *describe]
    fallback = os.environ.get(COMMIT_VARIABLE) or UNKNOWN
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed words
    except OSError:
        return fallback
    return done.stdout.strip() or fallback


def describe_versions(home: Path = HOME) -> str:
    """Return the version of the benchmark, its commit in a checkout, and the versions of Python, torch, Ray and MLflow.

    Args:
        home: The folder above ``data/`` and ``tuning/``. An installed copy may lie in a repository of something else,
            whose commit would mislead, so only a folder with its own ``.git`` counts as a checkout.
    """
    named = os.environ.get(COMMIT_VARIABLE) or UNKNOWN
    commit = read_commit(home) if (home / ".git").exists() else named
    own = f"{PACKAGE} {_read_version(PACKAGE)}"
    own += "" if commit == UNKNOWN else f" (commit {commit})"
    others = ", ".join(f"{name} {_read_version(name)}" for name in SHOWN)
    return f"{own}\nPython {platform.python_version()}, {others}"


def _read_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
