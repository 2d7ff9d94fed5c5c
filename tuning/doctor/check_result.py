"""The result of one check, and what several checks need.

Only the standard library is imported here and in ``machine``, so that they load in an older Python without packages.
"""

from __future__ import annotations  # the annotations must load in Pythons older than 3.10

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

OK, WARN, FAIL = "ok", "warn", "FAIL"
HOME = Path(__file__).parents[2]  # the checkout, or site-packages
INSTALL = "python -m pip install -c constraints.txt -e ."
GB = 1e9


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        verdict: ``ok``, ``warn`` (the benchmark runs, with a drawback) or ``FAIL`` (it does not run).
        found: What the check found.
        remedy: What to type or change; empty if the verdict is ``ok``.
    """

    verdict: str
    found: str
    remedy: str = ""


passed, warning, failure = (partial(CheckResult, verdict) for verdict in (OK, WARN, FAIL))


def guard(check: Callable[[], CheckResult]) -> CheckResult:
    """Run a check; turn an exception into a failed result, so that the other checks still run."""
    try:
        return check()
    except ImportError as error:
        return failure(f"a package cannot be imported: {first_line(error)}", INSTALL)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - reported as a result
        found = f"the check raised {type(error).__name__}: {first_line(error)}"
        return failure(found, "Correct what the error names, then check again.")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text that is not blank, else its class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)


def nearest_folder(path: Path) -> Path:
    """Return *path*, or its nearest parent that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())
