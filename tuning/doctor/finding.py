"""What a check of this machine says, and how one that breaks still says something.

The command imports a check's module when its turn comes: a package that is missing or broken costs the checks that
need it a line, and no traceback.
"""

from __future__ import annotations  # an older Python must be able to say that it is too old

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OK, WARN, FAIL = "ok", "warn", "FAIL"
HOME = Path(__file__).parents[2]  # the checkout, where there is one
INSTALL = "python -m pip install -c constraints.txt -e ."
GB = 1e9


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        verdict: ``ok``, ``warn`` (the benchmark runs, with a drawback) or ``FAIL`` (it does not).
        found: What is there.
        remedy: What to type or change; empty where all is well.
    """

    verdict: str
    found: str
    remedy: str = ""


def ok(found: str) -> CheckResult:
    """Say that all is well."""
    return CheckResult(OK, found)


def warn(found: str, remedy: str) -> CheckResult:
    """Say that the benchmark runs, but with a drawback."""
    return CheckResult(WARN, found, remedy)


def fail(found: str, remedy: str) -> CheckResult:
    """Say that the benchmark does not run like this."""
    return CheckResult(FAIL, found, remedy)


def guard(check: Callable[[], CheckResult]) -> CheckResult:
    """Make a check; what it raises becomes a finding as well."""
    try:
        return check()
    except ImportError as error:
        return fail(f"A package cannot be imported: {first_line(error)}", INSTALL)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the line tells of it
        return fail(
            f"The check ended in {type(error).__name__}: {first_line(error)}",
            "Mend what the error names, and check again.",
        )


def first_line(error: BaseException | str) -> str:
    """Return the first line of an error that says anything."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def nearest_folder(path: Path) -> Path:
    """Return *path*, or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def try_write(folder: Path) -> str:
    """Write a small file into a folder and remove it; return why that failed, empty where it did not."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""
