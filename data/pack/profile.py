"""What a network has seen: region, backscatter, dates and tracks of its train tiles.

The profile is stored with a model, so that a map can say where its scene differs (`tuning.predict.familiarity`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyproj

from data.io.safe_json import is_number
from data.pack.channels import CHANNELS, list_modalities, select_steps
from data.pack.pack import Pack
from data.tiles import BANDS, MODALITIES, ORBITS, PIXEL_M, TILE_PX
from data.tiles.map_dates import LearntDates
from data.tiles.paths import is_region
from data.tiles.regions import parse_time
from data.tiles.tracks import find_tracks

SAMPLE_TILES = 32
SAMPLE_STEP = 4  # every fourth pixel of a row and a column
QUANTILES = (0.01, 0.99)
TRACK_QUANTILE = 0.9  # of tiles: a few tiles between two frames have more tracks
# What the entries of each table are named after.
_KEYS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("regions", "events", "areas"), is_region),
    "ranges": CHANNELS.__contains__,
    **dict.fromkeys(
        ("dates", "spacing_days", "tracks", "offsets", "after", "least_after"),
        MODALITIES.__contains__,
    ),
}


@dataclass(frozen=True)
class TrainingProfile:
    """What the train tiles of a network are like; plain values, as JSON holds them.

    Attributes:
        regions: Number of tiles by region.
        events: Most frequent time of the event by region, such as ``2018-09-05T18:08:00``, UTC.
        areas: West, south, east and north edge of a region's tiles in degrees.
        ranges: 1st and 99th percentile by channel: dB, or reflectance numbers.
        dates: Median number of different acquisitions of a tile, by modality.
        spacing_days: Median time between two acquisitions that the network reads, by modality; 0 if it reads one.
        tracks: Number of tracks of Sentinel-1 in these acquisitions, by orbit direction.
        offsets: Days from the event to each acquisition that the network reads, by modality: the median over tiles.
        after: How many of these are after the event, by modality: the median over tiles.
        least_after: Fewest acquisitions after the event from which the network learnt to map, by modality.
    """

    regions: dict[str, int]
    events: dict[str, str]
    areas: dict[str, list[float]]
    ranges: dict[str, list[float]]
    dates: dict[str, int]
    spacing_days: dict[str, float]
    tracks: dict[str, int]
    offsets: dict[str, list[int]] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    least_after: dict[str, int] = field(default_factory=dict)

    def list_learnt(self) -> dict[str, LearntDates]:
        """Return the acquisitions that the network learnt from, by modality."""
        return {
            name: LearntDates(tuple(days), self.after.get(name), self.least_after.get(name, 1))
            for name, days in sorted(self.offsets.items())
        }


def measure_profile(
    pack: Pack,
    train: Sequence[str],
    channels: Sequence[str],
    steps: str,
    timesteps: int,
    *,
    cut: bool = False,
) -> TrainingProfile:
    """Measure the train tiles of a network.

    Args:
        pack: The packed tiles.
        train: Ids of the train tiles.
        channels: Channels that the network reads.
        steps: How it chooses acquisitions, one of ``data.pack.channels.STEPS``.
        timesteps: Number of acquisitions that it reads.
        cut: Whether it also learns from series that are cut soon after the event.
    """
    rows = pack.rows(train)
    regions = np.array(pack.regions)[rows]
    modalities = list_modalities(channels)
    index = [pack.modalities.index(name) for name in modalities]
    every = pack.times[:, index]
    selected = select_steps(every, steps, timesteps, pack.events, modalities, pack.regions)
    times, chosen = every[rows], np.take_along_axis(every, selected, axis=2)[rows]
    names = sorted(set(map(str, regions)))
    late = (chosen > pack.events[rows][:, None, None]).sum(axis=2)
    after = {name: round(float(np.median(late[:, at]))) for at, name in enumerate(modalities)}
    return TrainingProfile(
        regions={name: int((regions == name).sum()) for name in names},
        events={name: _find_mode(pack.events[rows][regions == name]) for name in names},
        areas={name: _measure_area(pack, rows[regions == name]) for name in names},
        ranges=_measure_ranges(pack, rows, channels),
        dates={
            name: int(np.median([len(np.unique(series)) for series in times[:, at]]))
            for at, name in enumerate(modalities)
        },
        spacing_days={name: measure_spacing(chosen[:, at]) for at, name in enumerate(modalities)},
        tracks={
            name: int(np.quantile(list(map(count_tracks, chosen[:, at])), TRACK_QUANTILE))
            for at, name in enumerate(modalities)
            if name in ORBITS
        },
        offsets={
            name: measure_offsets(chosen[:, at], pack.events[rows])
            for at, name in enumerate(modalities)
        },
        after=after,
        least_after={name: min(1, count) if cut else count for name, count in after.items()},
    )


def measure_offsets(times: np.ndarray, events: np.ndarray) -> list[int]:
    """Return the median days from the tiles' events ``(N,)`` to each of their acquisitions ``(N, T)``; T numbers."""
    days = times.astype("datetime64[D]") - events.astype("datetime64[D]")[:, None]
    return [round(float(value)) for value in np.median(days.astype(np.int64), axis=0)]


def measure_spacing(times: np.ndarray) -> float:
    """Return the median days between acquisitions, shape ``(..., T)``; repeated images do not count."""
    days = np.diff(times, axis=-1) / np.timedelta64(1, "D")
    return round(float(np.median(days[days > 0])), 1) if (days > 0).any() else 0.0


def count_tracks(times: np.ndarray) -> int:
    """Return the number of tracks of a series of Sentinel-1, shape ``(T,)``."""
    return int(find_tracks(times).max()) + 1


def _find_mode(events: np.ndarray) -> str:
    return str(Counter(events.astype("datetime64[s]").tolist()).most_common(1)[0][0].isoformat())


def _measure_area(pack: Pack, rows: np.ndarray) -> list[float]:
    """Return the edges of tiles in degrees."""
    side, edges = TILE_PX * PIXEL_M, []
    systems = np.array(pack.crs)[rows]
    for crs in sorted(set(map(str, systems))):
        corners = pack.corners[rows[systems == crs]]
        (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
        to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        edges.append(to_degrees.transform_bounds(west, south - side, east + side, north))
    low, high = np.min(edges, axis=0), np.max(edges, axis=0)
    return [round(float(value), 4) for value in (*low[:2], *high[2:])]


def _measure_ranges(
    pack: Pack, rows: np.ndarray, channels: Sequence[str]
) -> dict[str, list[float]]:
    """Return percentiles of each band over a sample of tiles and pixels."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE_TILES).astype(int))]
    ranges = {}
    for name in (name for name in channels if ":" in name):
        modality, band = name.split(":")
        at = BANDS[modality].index(band)
        bands = pack.bands[modality]
        values = np.stack([bands[row][:, at, ::SAMPLE_STEP, ::SAMPLE_STEP] for row in some])
        values = values[np.isfinite(values)].astype(np.float32)
        low_high = np.quantile(values, QUANTILES) if values.size else (0.0, 0.0)
        ranges[name] = [round(float(value), 3) for value in low_high]
    return ranges


def read_profile(content: Any) -> TrainingProfile | None:
    """Return a stored profile; None for models that were logged without one.

    Raises:
        TypeError: If a value is not what training writes.
    """
    if content is None:
        return None
    if isinstance(content, dict):
        # models of earlier versions have none
        content = {"offsets": {}, "after": {}, "least_after": {}, **content}
    if not isinstance(content, dict) or set(content) != set(_KEYS):
        raise TypeError(f"a training profile must have {', '.join(_KEYS)}")
    if not all(isinstance(content[key], dict) for key in _KEYS):
        raise TypeError("every entry of a training profile must be a table")
    for key, is_name in _KEYS.items():  # names are shown on the screen and the picture
        if not all(map(is_name, content[key])):
            rule = "must have names of regions, channels or modalities"
            raise TypeError(f"{key} of a training profile {rule}")
    for key, size in (("areas", 4), ("ranges", 2)):
        if not all(_is_numbers(values, size) for values in content[key].values()):
            raise TypeError(f"{key} of a training profile must be lists of {size} numbers")
    if not all(
        isinstance(days, list) and all(is_number(day, -1e5, 1e5, whole=True) for day in days)
        for days in content["offsets"].values()
    ):
        raise TypeError("offsets of a training profile must be lists of whole days")
    for key in ("regions", "dates", "spacing_days", "tracks", "after", "least_after"):
        whole = key.endswith("after")
        if not all(is_number(value, 0, 1e6, whole=whole) for value in content[key].values()):
            raise TypeError(f"{key} of a training profile must be numbers from 0")
    try:
        for text in content["events"].values():
            parse_time(str(text))
    except ValueError as error:
        raise TypeError("events of a training profile must be times") from error
    return TrainingProfile(**content)


def _is_numbers(values: object, size: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == size
        and all(is_number(value, -1e6, 1e6) for value in values)
    )
