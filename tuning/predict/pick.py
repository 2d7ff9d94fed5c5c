"""Picks the registered version that suits a scene's dates: soon after an event, the one that is best with few images after it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from data.tiles.map_dates import DatesError
from tuning.predict.ensemble import Member, load_members
from tuning.registry.aliases import CHAMPION, RAPID, find_version_by_alias
from tuning.registry.resolve import URI, find_model, open_registry


class HasDates(Protocol):
    """A scene, or what is known of it before it is loaded."""

    def find_shortage(self) -> int | None:
        """Return the number of acquisitions after the event if it is less than the network learnt from, else None."""


S = TypeVar("S", bound=HasDates)
OpenScene = Callable[[Sequence[Member]], S]


def pick_model(
    model: str, root: Path, open_with: OpenScene[S], *, ensemble: bool = False
) -> tuple[list[Member], S, str]:
    """Load a model and open the scene with it; of a name without alias or version, pick the version by the scene's dates.

    Args:
        model: As for :func:`tuning.predict.ensemble.load_members`.
        root: The campaign's output folder.
        open_with: Opens the scene for the networks.
        ensemble: Whether to load all seeds.

    Returns:
        The networks, the scene, and a sentence on what was picked; empty if there was nothing to pick.

    Raises:
        DatesError: If no version was trained for the scene's dates; the message says what would serve.
        ValueError: If the model is unknown, or the scene does not fit it.
    """
    members = load_members(model, root, ensemble=ensemble)
    error: DatesError | None = None
    try:
        scene = open_with(members)
        if scene.find_shortage() is None:
            return members, scene, ""
    except DatesError as one:
        error = one
    rapid = _find_rapid(model, root)
    if rapid and _is_bare(model):
        return _open_rapid(rapid, root, open_with, ensemble=ensemble)
    if error is not None:
        raise _add_remedy(error, rapid, root, open_with)
    note = describe_shortage(scene)
    return members, scene, note + (f" Best on val with one is {rapid}." if rapid else "")


def describe_shortage(scene: HasDates) -> str:
    """Say how many acquisitions after the event the networks read, if they are fewer than in training; else nothing."""
    count = scene.find_shortage()
    if count is None:
        return ""
    images = "1 acquisition" if count == 1 else f"{count} acquisitions"
    return f"The scene has {images} after the event, fewer than the network reads; the last one is repeated."


def _is_bare(model: str) -> bool:
    word = model.removeprefix(URI)
    return not Path(model).is_dir() and not word.startswith("m-") and not {"@", "/"} & set(word)


def _find_rapid(model: str, root: Path) -> str:
    """Return the URI of the version with the alias ``rapid`` of the same registered model; nothing if there is none."""
    word = model.removeprefix(URI)
    if Path(model).is_dir() or word.startswith("m-") or word.endswith(f"@{RAPID}"):
        return ""
    client = open_registry(root)
    name = find_model(client, word.partition("@")[0].partition("/")[0])
    rapid = find_version_by_alias(client, name, RAPID)
    return f"{URI}{name}@{RAPID}" if rapid is not None else ""


def _open_rapid(
    rapid: str, root: Path, open_with: OpenScene[S], *, ensemble: bool
) -> tuple[list[Member], S, str]:
    members = load_members(rapid, root, ensemble=ensemble)
    scene = open_with(members)
    return members, scene, f"{describe_shortage(scene)} Picked {rapid}, not @{CHAMPION}.".strip()


def _add_remedy(error: DatesError, rapid: str, root: Path, open_with: OpenScene[S]) -> DatesError:
    """Name the version that can map the scene, if there is one."""
    if not rapid:
        return error
    try:
        open_with(load_members(rapid, root))
    except DatesError:
        return error
    return DatesError(f"{error} Or choose --model {rapid}, which learnt from so few acquisitions.")
