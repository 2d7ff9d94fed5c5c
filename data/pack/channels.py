"""The input of a network: channel names, and the selection of acquisitions.

A channel name contains its modality: ``s1asc:VV``, ``s2:B04``. ``DEM`` (height, m) and ``slope`` (degrees) are terrain
channels, the same for every acquisition.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from data.io.errors import unknown_name
from data.tiles import ACQUISITIONS, BANDS, MODALITIES, ORBITS
from data.tiles.common_dates import SharedDates, choose_common_days, choose_common_steps
from data.tiles.tracks import choose_event_steps, choose_window_steps
from data.values.window import is_window, parse_window

MAPS = ("DEM", "slope")
CHANNELS = (*(f"{modality}:{band}" for modality in MODALITIES for band in BANDS[modality]), *MAPS)
SAR_CHANNELS = tuple(name for name in CHANNELS if name.startswith(ORBITS))

# Names of channel groups. At 4 acquisitions `published` gives the published study's 56 channels
# (repository snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f).
GROUPS: dict[str, tuple[str, ...]] = {
    "s1": SAR_CHANNELS,
    **{m: tuple(name for name in CHANNELS if name.startswith(f"{m}:")) for m in MODALITIES},
    **{p: tuple(name for name in SAR_CHANNELS if name.endswith(p)) for p in BANDS[ORBITS[0]]},
    "published": tuple(name for name in CHANNELS if name not in MAPS),
}
STEPS = ("even", "event", "common", "all")  # or a window such as pre:4/post:2


def choose_channels(words: Iterable[str]) -> tuple[str, ...]:
    """Expand channel names and groups into channels.

    Args:
        words: Names of ``CHANNELS`` and of the groups ``s1``, ``s1asc``, ``s1dsc``, ``VV``, ``VH``, ``s2`` and
            ``published``.

    Returns:
        The channels without duplicates, in the order of ``CHANNELS``.

    Raises:
        ValueError: If a word is unknown, or no channel is of Sentinel-1.
    """
    chosen: set[str] = set()
    for word in words:
        if word not in GROUPS and word not in CHANNELS:
            raise ValueError(unknown_name("channel", word, [*GROUPS, *CHANNELS]))
        chosen.update(GROUPS.get(word, (word,)))
    if not chosen.intersection(SAR_CHANNELS):
        got = " ".join(name for name in CHANNELS if name in chosen) or "none"
        raise ValueError(
            f"A network needs a band of Sentinel-1, but got {got}. Add one of "
            f"{', '.join(SAR_CHANNELS)}, or s1 for all."
        )
    return tuple(name for name in CHANNELS if name in chosen)


def list_modalities(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the modalities of the channels, in the order of ``MODALITIES``."""
    prefixes = {name.split(":")[0] for name in channels}
    return tuple(modality for modality in MODALITIES if modality in prefixes)


def check_steps(steps: str, timesteps: int) -> None:
    """Check the selection of acquisitions.

    Raises:
        ValueError: If *steps* is unknown, *timesteps* is not in 1..15 or not the sum of a window, or ``all`` is not all 15.
    """
    check_choice(steps)
    if not 1 <= timesteps <= ACQUISITIONS:
        raise ValueError(
            f"A tile has {ACQUISITIONS} acquisitions, but got timesteps={timesteps}. "
            f"Choose 1 to {ACQUISITIONS}."
        )
    if steps == "all" and timesteps != ACQUISITIONS:
        raise ValueError(
            f"Steps 'all' are the {ACQUISITIONS} acquisitions of a tile, but got "
            f"timesteps={timesteps}. Omit --timesteps, or choose 'even', 'event' or 'common'."
        )
    if is_window(steps) and timesteps != parse_window(steps).total:
        raise ValueError(
            f"The window {steps} has {parse_window(steps).total} acquisitions, but got timesteps={timesteps}. Set timesteps "
            "to their number."
        )


def check_choice(steps: str) -> None:
    """Check the choice of acquisitions alone: one of ``STEPS``, or a window of two numbers.

    Raises:
        ValueError: If it is neither.
    """
    if not is_window(steps):
        if steps not in STEPS:
            raise ValueError(unknown_name("choice of steps", steps, STEPS))
        return
    window = parse_window(steps)
    if not window.settled or str(window) != steps:
        raise ValueError(
            f"A chosen window has two numbers, such as pre:4/post:2, but got {steps!r}. What 'all' are "
            "depends on the tiles: `python -m tuning.run --window` counts them."
        )


def select_even_steps(timesteps: int) -> list[int]:
    """Return evenly spaced acquisitions including the first and the last, as in the published study.

    Args:
        timesteps: Number of acquisitions, out of 15.

    Returns:
        Ascending indices, ``round(linspace(0, 14, timesteps))``.

    Raises:
        ValueError: If *timesteps* is not in 1..15.
    """
    check_steps("even", timesteps)
    return [int(step) for step in np.linspace(0, ACQUISITIONS - 1, timesteps).round()]


def select_event_steps(
    times: np.ndarray, timesteps: int, event: np.datetime64, modality: str
) -> list[int]:
    """Return the acquisitions nearest to the event: half of them before it, the rest after.

    Of Sentinel-1 they are of one track where possible, as :func:`data.tiles.tracks.choose_event_steps` explains; repeated
    images come last. Tiles without landslides have their region's event, so that tiles with and without are treated
    alike.

    Args:
        times: Acquisition times of one series, shape ``(T,)``, ascending.
        timesteps: Number of acquisitions; an odd number has one more after the event. If one side has too few, the
            other side fills up.
        event: Time of the event, UTC.
        modality: Such as ``s1asc``.

    Returns:
        Ascending indices.
    """
    check_steps("event", timesteps)
    return choose_event_steps(times, timesteps, event, by_track=modality in ORBITS)


def select_steps(
    times: np.ndarray,
    steps: str,
    timesteps: int,
    events: np.ndarray,
    modalities: Sequence[str],
    regions: Sequence[str],
) -> np.ndarray:
    """Return the selected acquisitions of every tile and modality.

    Args:
        times: Acquisition times, shape ``(N, modalities, T)``.
        steps: One of ``STEPS``: ``even`` (spread over the series), ``event`` (each tile's own, nearest to its event),
            ``common`` (nearest to the event of those that all tiles of a region share) or ``all``; or a window such as
            ``pre:4/post:2`` (each tile's own, so many on each side of its event).
        timesteps: Number of acquisitions.
        events: Time of each tile's event in UTC, shape ``(N,)``.
        modalities: Names along the second axis of *times*.
        regions: Region of each tile, N names, for ``common`` alone, which needs all tiles of a campaign.

    Returns:
        Ascending indices, shape ``(N, modalities, timesteps)``, int64; a window repeats an index where a side of a series
        has too few.

    Raises:
        ValueError: As :func:`check_steps`, or if the tiles of a region share too few dates for ``common``.
    """
    check_steps(steps, timesteps)
    tiles, count, _ = times.shape
    if steps == "common":
        return _select_common(times, timesteps, events, modalities, regions)
    if steps != "event" and not is_window(steps):
        return np.broadcast_to(select_even_steps(timesteps), (tiles, count, timesteps))
    selected = [
        [
            _select_cached(series.tobytes(), steps, timesteps, event, modality)
            for series, modality in zip(tile, modalities, strict=True)
        ]
        for tile, event in zip(times.astype("datetime64[s]"), events, strict=True)
    ]
    return np.array(selected, dtype=np.int64).reshape(tiles, count, timesteps)


@lru_cache(maxsize=4096)  # thousands of tiles share a few date lists
def _select_cached(
    times: bytes, steps: str, timesteps: int, event: np.datetime64, modality: str
) -> tuple[int, ...]:
    series = np.frombuffer(times, "datetime64[s]")
    if is_window(steps):
        window, by_track = parse_window(steps), modality in ORBITS
        sides = (window.pre or 0, window.post or 0)
        return tuple(choose_window_steps(series, *sides, event, by_track=by_track))
    return tuple(select_event_steps(series, timesteps, event, modality))


def _select_common(
    times: np.ndarray,
    timesteps: int,
    events: np.ndarray,
    modalities: Sequence[str],
    regions: Sequence[str],
) -> np.ndarray:
    """Select for each region and modality the dates that its tiles share, nearest to its most frequent event."""
    selected = np.empty((*times.shape[:2], timesteps), dtype=np.int64)
    names = np.array(regions)
    for region in np.unique(names):
        rows = np.flatnonzero(names == region)
        found, counts = np.unique(events[rows], return_counts=True)
        event = found[counts.argmax()]
        for number, modality in enumerate(modalities):
            series, by_track = times[rows, number], modality in ORBITS
            days = choose_common_days(series, timesteps, event, by_track=by_track)
            if isinstance(days, SharedDates):
                raise _few_shared(days, timesteps, len(rows), str(region), modality)
            selected[rows, number] = [
                choose_common_steps(each, days, event, by_track=by_track) for each in series
            ]
    return selected


def _few_shared(
    shared: SharedDates, timesteps: int, tiles: int, region: str, modality: str
) -> ValueError:
    count, before = len(shared.days), shared.before
    remedy = f"--timesteps {count} or fewer, or " if 0 < before < count else ""
    return ValueError(
        f"Steps 'common' are dates that all tiles of a region share, on both sides of the event, but got "
        f"timesteps={timesteps}, and the {tiles} tiles of {region} share {count} dates of {modality}: {before} before the "
        f"event and {count - before} after it. Choose {remedy}--steps event (each tile's own dates)."
    )
