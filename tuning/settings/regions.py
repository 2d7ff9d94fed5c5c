"""The regions of a campaign: those that the user chose, the times of their events, and what a split needs of them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from data.io.errors import unknown_name
from data.splits import event_split_name, list_folds
from data.splits.names import HOKKAIDO_SPLITS, check_regions, is_cross_validation, parse_event
from data.tiles.events import parse_events
from data.tiles.paths import list_regions, list_tiles, region_of
from data.tiles.regions import DEFAULT_REGION, choose_regions
from data.twin.regions import REGIONS


def choose_campaign_regions(words: Sequence[str] | None, folder: Path | None) -> tuple[str, ...]:
    """Return the regions of a campaign, sorted.

    Args:
        words: Names of regions or ``all``, as the user gave them; None chooses ``DEFAULT_REGION``.
        folder: The tile folder; None for the twin.

    Returns:
        The regions; ``DEFAULT_REGION`` for a folder without any tile, which :func:`data.tiles.list_tiles` refuses.

    Raises:
        ValueError: If the data lack a region; the message lists those that they have.
    """
    available = tuple(REGIONS) if folder is None else tuple(list_regions(folder))
    if not available:
        return (DEFAULT_REGION,)
    if words is None and DEFAULT_REGION not in available:
        raise ValueError(
            f"--region is {DEFAULT_REGION} unless you give it, but got tiles of {', '.join(available)} alone in "
            f"{folder}. Choose with --region, such as --region {available[0]}, or --region all."
        )
    return choose_regions(words or (DEFAULT_REGION,), available)


def check_tiles(folder: Path | None, modalities: Sequence[str], regions: Sequence[str]) -> None:
    """Check that the data have tiles of every region.

    Args:
        folder: The tile folder; None for the twin.
        modalities: Those of which a tile must have a file.
        regions: The campaign's regions.

    Raises:
        ValueError: If there is no tile of one of the regions.
        FileNotFoundError: If there is none of any region.
    """
    if folder is None:
        choose_regions(regions, REGIONS)
    else:
        choose_regions(regions, set(map(region_of, list_tiles(folder, modalities, regions))))


def normalise_events(words: Sequence[str], regions: Sequence[str]) -> dict[str, str]:
    """Return the times that the user gave with ``--event`` by region, such as ``2018-09-05T18:08:00``.

    Raises:
        ValueError: If a time is invalid, a region is not used or given twice.
    """
    given = parse_events(words, regions)
    every = dict.fromkeys(regions, given.pop("")) if "" in given else {}
    return {region: str(time) for region, time in sorted({**every, **given}.items())}


def read_events(events: Mapping[str, str], regions: Sequence[str]) -> dict[str, np.datetime64]:
    """Return the saved times of a campaign's settings by region; raise ValueError as :func:`normalise_events`."""
    return parse_events([f"{region}={time}" for region, time in events.items()], regions)


def add_shots(split: str, shots: int | None) -> str:
    """Return the name of a split across events with labelled tiles of the held-out event.

    Args:
        split: Name of the split.
        shots: The tiles' number, as the user gave it with ``--shots``; None leaves the name as it is.

    Raises:
        ValueError: If the split is not across events, has shots already, or the number is not allowed.
    """
    if shots is None:
        return split
    name, _, given = split.partition("/")
    kind, _, region = name.partition(":")
    if kind != "events":
        raise ValueError(
            f"--shots is the number of labelled tiles of the held-out event, but got --shots {shots} with the split "
            f"{split!r}, which holds out none. Add --split events or --split events:REGION, or leave --shots out."
        )
    if given:
        raise ValueError(
            f"Shots must be given once, but got --shots {shots} and the split {split!r}. Leave one of them out."
        )
    return event_split_name(region or None, shots)


def check_split_regions(split: str, regions: Collection[str]) -> None:
    """Check that a split can be made of the tiles of some regions, as far as their names tell.

    Raises:
        ValueError: If it tests on a region that is not used, is across events but there is one region, or is a list of
            Hokkaido's tiles but Hokkaido is not used.
    """
    used = ", ".join(sorted(regions))
    if is_cross_validation(split):
        list_folds(split, regions)
    elif (event := parse_event(split)) is not None:
        if event[0] not in regions:
            raise ValueError(
                f"{unknown_name('region', event[0], sorted(regions))} The split {split!r} tests on a region that the "
                "campaign uses; add it with --region."
            )
        check_regions(split, regions)
    elif split in HOKKAIDO_SPLITS and DEFAULT_REGION not in regions:
        raise ValueError(
            f"The split {split!r} is a published list of Hokkaido's tiles, but got --region {used}. Choose --split "
            f"blocks, or add {DEFAULT_REGION} to --region."
        )
