"""The output folder that ``--root`` names: refused where a command would read it and it holds nothing, with the nearest one."""

import os
import shlex
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import NoReturn

from data.command.explain import CommandError
from data.io.disk import nearest_folder
from data.io.errors import hide_password

ROOT = Path("mlruns")
DATABASE = "mlflow.db"  # file of the output folder
CAMPAIGNS = "campaigns"
_LOOKED_AT = 500  # folders beside and below the nearest one that exists


class NoStoreError(CommandError, FileNotFoundError):
    """A folder that holds no campaign, where a command reads one; exit code 2."""


def refuse_missing(root: Path, address: str | None) -> NoReturn:
    """Refuse an output folder without a database, so that a command that only reads makes none.

    Args:
        root: The output folder.
        address: The database that a variable names in its place; None without one.

    Raises:
        NoStoreError: Always; the message names the nearest folder that has one.
    """
    if address:
        raise NoStoreError(
            f"MLFLOW_TRACKING_URI must name a database that exists, but got {hide_password(address)}. Correct it, or unset "
            f"it to use the database of {root}.",
            2,
        )
    got = "has none" if root.is_dir() else "is no folder" if root.exists() else "does not exist"
    raise NoStoreError(
        f"The output folder must hold a campaign's database {DATABASE}, but {root.absolute()} {got}. {suggest_root(root)}",
        2,
    )


def suggest_root(root: Path) -> str:
    """Return the sentence that names the nearest output folder of a campaign, or says how to make one."""
    nearest = find_nearest(root)
    if nearest is None:
        return "Run `python -m tuning.run` first, or choose another folder with --root."
    return f"The nearest folder that holds one is {nearest}: --root {shlex.quote(str(nearest))}"


def find_nearest(root: Path) -> Path | None:
    """Return the output folder of a campaign whose path is most like *root*; None if there is none near it."""
    asked = root.absolute()
    found = {folder for folder in _list_near(asked) if folder != asked and _holds_campaign(folder)}
    return max(sorted(found), key=lambda folder: _rate(asked, folder), default=None)


def _rate(asked: Path, folder: Path) -> tuple[int, float]:
    """Return how many first parts two paths share, and how alike they are."""
    shared = os.path.commonpath([asked, folder])
    return len(Path(shared).parts), SequenceMatcher(None, str(asked), str(folder)).ratio()


def _holds_campaign(folder: Path) -> bool:
    return (folder / DATABASE).is_file() or (folder / CAMPAIGNS).is_dir()


def _list_near(asked: Path) -> Iterator[Path]:
    """Yield the folders above a path, beside it, below the nearest one that exists, and the default output folder."""
    there = nearest_folder(asked)
    yield from (there, *there.parents, ROOT.absolute())
    for base, pattern in ((there, "*/"), (asked.parent, "*/"), (there, "*/*/")):
        try:
            yield from islice((path.absolute() for path in base.glob(pattern)), _LOOKED_AT)
        except OSError:  # a folder that may not be read
            continue


def resume_command(root: Path, campaign: str) -> str:
    """Return the command that continues a campaign, with ``--root`` unless it is the default."""
    words = ["--resume", campaign]
    words += [] if root.absolute() == ROOT.absolute() else ["--root", str(root)]
    return f"python -m tuning.run {shlex.join(words)}"
