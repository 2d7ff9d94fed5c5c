"""The numbers of a campaign's window of acquisitions, counted in its tiles before anything is trained.

They depend on the tiles alone, never on the other side of the window: campaigns with ``pre:all/post:1``, ``pre:all/post:2`` and so
on read the same acquisitions before the event.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.io.errors import list_first
from data.pack import Pack
from data.pack.channels import list_modalities
from data.tiles.common_dates import NEARLY
from data.values.window import Window, parse_window
from tuning.campaign.identity import read_inputs
from tuning.campaign.prepare_data import pack_tiles
from tuning.settings.lock import lock_setup
from tuning.settings.saved_campaigns import campaign_folder, keep_acquisitions, load_settings
from tuning.settings.settings import Settings
from tuning.trial.disk import check_output_folder

logger = logging.getLogger(__name__)

_SHOWN = 5  # tiles in a message
SIDES = ("before", "after")


def settle_window(root: Path, settings: Settings) -> Settings:
    """Return the settings with the numbers of their window, which the campaign's folder keeps; others as they are.

    Args:
        root: Output folder.
        settings: The settings of a campaign that begins or is resumed.

    Raises:
        ValueError: If the tiles have too few acquisitions, or cannot be used.
        OSError: If the output folder cannot be used.
    """
    if not settings.window:
        return settings
    if read_inputs(campaign_folder(root, settings.campaign)) is not None:  # has begun
        kept = load_settings(root, settings.campaign)
        return replace(settings, steps=kept.steps, timesteps=kept.timesteps)
    root = root.resolve()
    check_output_folder(root)
    with lock_setup(root):
        pack = pack_tiles(root, settings)
    counts = count_sides(pack, list_modalities(settings.channels))
    window = fit_window(parse_window(settings.window), counts)
    settled = replace(settings, steps=str(window), timesteps=window.total)
    keep_acquisitions(root, settled)
    text = "Window %s: %s, in order of nearness to the event, of one track where possible."
    logger.info(text, settings.window, window)
    if few := find_short(window, counts):
        text = "%d tiles have fewer acquisitions on a side; they repeat the one farthest from the event: %s."
        logger.warning(text, len(few), list_first(few, _SHOWN))
    return settled


class SideCounts(NamedTuple):
    """Different acquisitions on each side of the event of one modality in one region.

    Attributes:
        region: Name of the region.
        modality: Such as ``s1asc``.
        tiles: Ids of its N tiles.
        counts: Before and after the event, shape ``(2, N)``, int64.
    """

    region: str
    modality: str
    tiles: tuple[str, ...]
    counts: np.ndarray

    def most(self, side: int) -> int:
        """Return the most acquisitions on a side that 95 % of the tiles have."""
        ranked = np.sort(self.counts[side])[::-1]
        return int(ranked[math.ceil(NEARLY * len(ranked)) - 1])

    def list_short(self, side: int, number: int) -> dict[str, int]:
        """Return the acquisitions of the tiles that have fewer than *number* on a side."""
        pairs = zip(self.tiles, self.counts[side].tolist(), strict=True)
        return {tile: count for tile, count in pairs if count < number}


def count_sides(pack: Pack, modalities: tuple[str, ...]) -> tuple[SideCounts, ...]:
    """Count the different acquisitions on each side of the event, by region and modality."""
    regions, found = np.array(pack.regions), []
    for region in np.unique(regions):
        rows = np.flatnonzero(regions == region)
        tiles = tuple(pack.tile_ids[row] for row in rows)
        for modality in modalities:
            times = pack.times[rows, pack.modalities.index(modality)]
            fresh = np.diff(times, axis=1, prepend=times[:, :1] - 1) > np.timedelta64(0)
            early = times <= pack.events[rows, None]
            counts = np.stack([(fresh & early).sum(axis=1), (fresh & ~early).sum(axis=1)])
            found.append(SideCounts(str(region), modality, tiles, counts))
    return tuple(found)


def fit_window(window: Window, counts: tuple[SideCounts, ...]) -> Window:
    """Return a window with numbers: ``all`` is the most that 95 % of the tiles of each region have, of each modality.

    Raises:
        ValueError: If they have fewer than it reads, or none on a side.
    """
    most = [min(one.most(side) for one in counts) for side in range(2)]
    wished = [
        possible if number is None else number
        for number, possible in zip((window.pre, window.post), most, strict=True)
    ]
    for side, (number, possible) in enumerate(zip(wished, most, strict=True)):
        if max(number, 1) > possible:
            raise _too_many(window, side, max(number, 1), most, counts)
    return Window(*wished)


def find_short(window: Window, counts: tuple[SideCounts, ...]) -> list[str]:
    """Return the tiles that have fewer acquisitions than a window, and so repeat some."""
    wished = (window.pre or 0, window.post or 0)
    return sorted({t for c in counts for s in range(2) for t in c.list_short(s, wished[s])})


def _too_many(
    window: Window, side: int, number: int, most: list[int], counts: tuple[SideCounts, ...]
) -> ValueError:
    least = min(counts, key=lambda one: one.most(side))
    short: Mapping[str, int] = least.list_short(side, number)
    names = list_first([f"{tile} ({count})" for tile, count in short.items()], _SHOWN)
    remedy = (
        f"At most pre:{most[0]}/post:{most[1]} is possible."
        if min(most)
        else "Leave --window out, or choose other tiles or another --event."
    )
    return ValueError(
        f"--window {window} reads {number} acquisitions {SIDES[side]} the event, which {NEARLY:.0%} of the tiles of each region "
        f"must have, but {len(short)} of {len(least.tiles)} tiles of {least.region} have fewer of {least.modality}: {names}. "
        f"{remedy}"
    )
