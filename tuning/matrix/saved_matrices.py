"""Matrices on disk: the plan of each, which a resumed matrix follows, and its lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from data.io.errors import unknown_name
from data.io.safe_json import check_safe_name
from tuning.matrix.plan import PLAN_FILE, MatrixPlan
from tuning.matrix.plan_file import read_plan
from tuning.settings.lock import is_running, lock_campaign
from tuning.settings.roots import suggest_root
from tuning.settings.saved_campaigns import SETTINGS, campaign_folder, load_settings, save_settings
from tuning.settings.settings import Settings
from tuning.trial.folder import read_optional_json, write_json

MATRICES = "matrices"  # below the output folder
STATE = "state.json"  # of a matrix's folder
MOST_CHARS = 40  # of a matrix's name: those of its campaigns begin with it


def matrix_folder(root: Path, name: str) -> Path:
    """Return the folder that holds a matrix's plan and lock."""
    return (root / MATRICES / name).resolve()


def list_matrices(root: Path) -> list[str]:
    """List the matrices below an output folder, oldest first."""
    files = (root / MATRICES).glob(f"*/{PLAN_FILE}")
    return [file.parent.name for file in sorted(files, key=lambda file: file.stat().st_mtime)]


def check_matrix_name(name: str, root: Path) -> None:
    """Check the name of a new matrix.

    Raises:
        ValueError: If it is not safe, too long, or taken.
    """
    check_safe_name("matrix", name)
    if len(name) > MOST_CHARS:
        raise ValueError(
            f"A matrix's name must have at most {MOST_CHARS} characters, but got {len(name)} in {name!r}. Choose a shorter one."
        )
    if name in list_matrices(root):
        raise ValueError(
            f"A matrix's name must be new, but {name!r} exists in {matrix_folder(root, name)}. Continue it with --resume {name}, "
            "or choose another name."
        )


def free_name(name: str, root: Path) -> str:
    """Return *name*, or *name* with a number if a matrix of that name exists."""
    taken, number, free = list_matrices(root), 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def save_matrix(root: Path, plan: MatrixPlan, cells: Sequence[Settings]) -> None:
    """Save the settings of all cells, then the plan: a matrix exists when all of it does.

    Raises:
        ValueError: If the matrix or one of its campaigns exists.
        OSError: If the output folder cannot be written.
    """
    check_matrix_name(plan.name, root)
    taken = [one.campaign for one in cells if _belongs_to_another(root, one)]
    if taken:
        raise ValueError(
            f"The campaigns of a matrix must be new, but {', '.join(taken)} exist below {root / 'campaigns'}. Choose another "
            "name with --name."
        )
    for one in cells:
        if not (campaign_folder(root, one.campaign) / SETTINGS).exists():
            save_settings(root, one)
    folder = matrix_folder(root, plan.name)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / STATE, {"id": uuid4().hex, "ended": False})
    write_json(folder / PLAN_FILE, plan.to_json())


def _belongs_to_another(root: Path, settings: Settings) -> bool:
    """Return whether a campaign of this name exists that is not what a killed save of the same plan left."""
    file = campaign_folder(root, settings.campaign) / SETTINGS
    return file.exists() and load_settings(root, settings.campaign) != settings


def load_matrix(root: Path, name: str | None) -> tuple[MatrixPlan, list[Settings]]:
    """Load the plan of a matrix and the settings of its cells; the latest matrix if *name* is None.

    Raises:
        ValueError: If there is no such matrix, or its plan or a campaign is damaged.
    """
    names = list_matrices(root)
    if not names:
        raise ValueError(
            f"--resume continues a matrix, but {root / MATRICES} has none. {suggest_root(root)}"
        )
    if name is not None and name not in names:
        raise ValueError(unknown_name("matrix", name, names))
    plan = read_plan(matrix_folder(root, name or names[-1]) / PLAN_FILE)
    return plan, [load_settings(root, cell.campaign) for cell in plan.cells]


def find_unfinished(root: Path, plan: MatrixPlan, cells: Sequence[Settings]) -> str | None:
    """Return the latest interrupted matrix of the same cells, its names and seeds apart; None if there is none."""
    for name in reversed(list_matrices(root)):
        if is_running(matrix_folder(root, name)) or read_state(root, name)[1]:
            continue
        try:
            other, settings = load_matrix(root, name)
        except ValueError:  # written by another version
            continue
        begun = any(any(campaign_folder(root, c.campaign).glob("trials/*")) for c in other.cells)
        same = (other.axes, other.search, other.primary) == (plan.axes, plan.search, plan.primary)
        if begun and same and list(map(_content, settings)) == list(map(_content, cells)):
            return name
    return None


def _content(settings: Settings) -> Settings:
    """Return settings without names, and without what other commands or the tiles may change."""
    same: dict[str, Any] = {"campaign": "", "matrix": "", "stack_seeds": 1, "search_seed": 0}
    if settings.window:  # its numbers are counted in the tiles
        same |= {"steps": settings.window, "timesteps": 0}
    return replace(settings, **same)


def read_state(root: Path, name: str) -> tuple[str, bool]:
    """Return the id of a matrix, which tells it from others of its name, and whether it has ended well."""
    content = read_optional_json(matrix_folder(root, name) / STATE) or {}
    return str(content.get("id", "")), bool(content.get("ended", False))


def mark_ended(root: Path, name: str) -> None:
    """Note that all cells of a matrix are done, so that a resume only reports."""
    identity, _ = read_state(root, name)
    write_json(matrix_folder(root, name) / STATE, {"id": identity, "ended": True})


@contextmanager
def lock_matrix(root: Path, name: str) -> Iterator[None]:
    """Hold the lock of a matrix.

    Raises:
        ValueError: If another process runs the matrix.
    """
    folder = matrix_folder(root, name)
    folder.mkdir(parents=True, exist_ok=True)
    with lock_campaign(folder, "matrix"):
        yield
