"""Names of splits: their forms, their checks, and the folds of a cross-validation.

============================  =====================================================================
``blocks``                    spatial blocks of every region
``blocks:K/F``                fold F of a spatial cross-validation with K folds
``events:REGION``             train on all other regions, test on this one
``events:REGION/SHOTS``       the same with labelled tiles of the tested region in train
``seed42``, ``s12ls-ld``      two published splits of Hokkaido
``file:HASH``                 a user's own split
``blocks:K``                  all folds of a spatial cross-validation
``events``, ``events/SHOTS``  all folds of a cross-validation that holds out one region after the other
============================  =====================================================================
"""

import re
from collections.abc import Iterable

from data.io.errors import unknown_name

SPLITS = ("blocks", "seed42", "s12ls-ld")
HOKKAIDO_SPLITS = ("seed42", "s12ls-ld")
CHOICES = (
    *(
        *SPLITS,
        "blocks:K",
        "blocks:K/F",
        "events",
        "events:REGION",
        "events:REGION/SHOTS",
        "file:HASH",
    ),
    *("FILE.json", "FILE.csv"),  # of the user
)
FOLDS = range(2, 11)  # allowed values of K
SHOTS = (0, 1, 5, 20)  # labelled tiles of the tested region

_FOLD = re.compile(r"blocks:([0-9]{1,4})(?:/([0-9]{1,4}))?")
_EVENT = re.compile(r"events:([a-z][a-z0-9_]*)(?:/([0-9]{1,4}))?")
_EVENTS = re.compile(r"events(?:/([0-9]{1,4}))?")
_STORED = re.compile(r"file:([0-9a-f]{12})")


def check_split(name: str) -> None:
    """Check a split's name, but not whether its region or its stored file exists.

    Raises:
        ValueError: If there is no such split; the message lists the names.
    """
    if name in SPLITS or _STORED.fullmatch(name):
        return
    if name.startswith("file:"):
        raise ValueError(f"A stored split must be file:<12 hexadecimal digits>, but got {name!r}.")
    if event := _EVENT.fullmatch(name):
        _check_shots(event[2], name)
        return
    fold = _FOLD.fullmatch(name)
    if fold is None:
        raise ValueError(unknown_name("split", name, CHOICES))
    folds = _list_blocks(int(fold[1]), name)
    if name not in folds:
        raise ValueError(
            f"A fold of blocks:{fold[1]} must be one of {', '.join(folds)}, but got {name!r}."
        )


def check_splits(name: str) -> None:
    """Check the name of a split or of a cross-validation, such as ``blocks:5`` or ``events``.

    Raises:
        ValueError: If there is no such name.
    """
    if events := _EVENTS.fullmatch(name):
        _check_shots(events[1], name)
    elif is_cross_validation(name):
        _list_blocks(int(name.removeprefix("blocks:")), name)
    else:
        check_split(name)


def is_cross_validation(name: str) -> bool:
    """Return whether a name has the form ``blocks:K``, ``events`` or ``events/SHOTS``."""
    fold = _FOLD.fullmatch(name)
    return bool(_EVENTS.fullmatch(name)) or (fold is not None and fold[2] is None)


def list_folds(name: str, regions: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a cross-validation's folds; of any other split, its own name.

    Args:
        name: Such as ``blocks:5`` (``blocks:5/1`` to ``blocks:5/5``), ``events`` or ``events/5`` (one fold per region,
            such as ``events:hokkaido/5``), or ``blocks``.
        regions: Regions of the data, in any order and any number of times; only ``events`` needs them.

    Raises:
        ValueError: If there is no such name, or ``events`` has one region or none.
    """
    check_splits(name)
    if events := _EVENTS.fullmatch(name):
        found = check_regions(name, regions)
        return tuple(event_split_name(region, int(events[1] or 0)) for region in found)
    if is_cross_validation(name):
        return _list_blocks(int(name.removeprefix("blocks:")), name)
    return (name,)


def event_split_name(region: str | None, shots: int = 0) -> str:
    """Return the name of the split that tests on a region, or of all such folds if the region is None.

    Args:
        region: The region that is held out of train.
        shots: Labelled tiles of that region in train, one of ``SHOTS``.

    Raises:
        ValueError: If there is no such number of shots.
    """
    if shots not in SHOTS:
        allowed = ", ".join(map(str, SHOTS))
        raise ValueError(
            f"Shots must be one of {allowed}, but got {shots} for {region or 'events'}."
        )
    return ("events" if region is None else f"events:{region}") + (f"/{shots}" if shots else "")


def check_regions(name: str, regions: Iterable[str]) -> list[str]:
    """Return the regions, sorted; raise ValueError if a split across events has fewer than two."""
    found = sorted(set(regions))
    if len(found) < 2:
        raise ValueError(
            f"Split {name!r} trains on some regions and tests on another, but got "
            f"{next(iter(found), 'no region')} alone. Add a region with --region, or choose --split blocks."
        )
    return found


def parse_fold(name: str) -> tuple[int, int] | None:
    """Return K and F of a checked ``blocks:K/F``, None for another name."""
    match = _FOLD.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def parse_event(name: str) -> tuple[str, int] | None:
    """Return region and shots of a checked ``events:REGION/SHOTS``, None for another name."""
    match = _EVENT.fullmatch(name)
    return (match[1], int(match[2] or 0)) if match else None


def parse_stored(name: str) -> str | None:
    """Return the hash of ``file:HASH``, None for another name."""
    match = _STORED.fullmatch(name)
    return match[1] if match else None


def _check_shots(shots: str | None, name: str) -> None:
    """Raise ValueError for a number that is not one of ``SHOTS``, or a zero that the name leaves out."""
    allowed = [str(number) for number in SHOTS if number]
    if shots is not None and shots not in allowed:
        raise ValueError(
            f"Shots of {name.split('/')[0]}/SHOTS must be one of {', '.join(allowed)} (none: leave it "
            f"out), but got {name!r}."
        )


def _list_blocks(count: int, name: str) -> tuple[str, ...]:
    if count not in FOLDS:
        raise ValueError(
            f"K of blocks:K/F must be from {FOLDS[0]} to {FOLDS[-1]}, but got {count} in {name!r}."
        )
    return tuple(f"blocks:{count}/{fold}" for fold in range(1, count + 1))
