"""What a network could learn of a tile's label from its dates alone: the features of the leak audit.

The publisher of the real tiles picks acquisitions around the event for annotated tiles only, and repeats the last image
where some are missing. Season, weather and track are visible in every pixel, so a network can tell dates apart, and with
them annotated tiles from others.
"""

from dataclasses import dataclass, replace

import numpy as np

from data.tiles import ORBITS
from data.tiles.tracks import REPEAT_DAYS

GROUPS = ("dates", "acquisitions", "tracks", "padding", "all")
MIN_GAP = 0.25  # difference of two shares from which a date counts as differing
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class DateTable:
    """Dates, labels and places of N tiles.

    Attributes:
        times: Acquisition times, shape ``(N, M, T)``, datetime64, ascending along the last axis.
        modalities: Names of the M series, such as ``s1asc``.
        events: Time of each tile's event in UTC, shape ``(N,)``, datetime64; NaT = unknown.
        annotated: Whether a tile has landslide pixels, shape ``(N,)``, bool.
        corners: West and north of each tile in m, shape ``(N, 2)``.
        regions: Region of each tile, N names.

    Raises:
        ValueError: If the shapes do not fit each other.
    """

    times: np.ndarray
    modalities: tuple[str, ...]
    events: np.ndarray
    annotated: np.ndarray
    corners: np.ndarray
    regions: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.annotated)
        found = (self.times.shape[:2], self.events.shape, self.corners.shape, len(self.regions))
        wanted = ((count, len(self.modalities)), (count,), (count, 2), count)
        if self.times.ndim != 3 or found != wanted:
            raise ValueError(
                f"A table of dates must have a row for each of its {count} tiles and a series for each of "
                f"{', '.join(self.modalities)}, but got times {self.times.shape}, events {self.events.shape}, corners "
                f"{self.corners.shape} and {len(self.regions)} regions. Pass arrays of one data set."
            )

    def select(self, rows: np.ndarray) -> "DateTable":
        """Return the tiles at some rows."""
        return replace(
            self,
            times=self.times[rows],
            events=self.events[rows],
            annotated=self.annotated[rows],
            corners=self.corners[rows],
            regions=tuple(self.regions[row] for row in np.arange(len(self.annotated))[rows]),
        )


@dataclass(frozen=True)
class DateShare:
    """A date that annotated tiles and others have unequally often.

    Attributes:
        modality: Such as ``s1asc``.
        day: Such as ``2018-08-20``.
        annotated: Share of the annotated tiles that have it, from 0 to 1.
        others: Share of the other tiles.
    """

    modality: str
    day: str
    annotated: float
    others: float


def make_features(table: DateTable) -> dict[str, np.ndarray]:
    """Return the features of each of ``GROUPS``, shape ``(N, features)``, float64.

    - ``dates``: days from the event to each acquisition.
    - ``acquisitions``: number of different ones before and after the event, by modality.
    - ``tracks``: number of Sentinel-1's acquisitions in each phase of the repeat cycle, as `data.tiles.tracks` explains.
    - ``padding``: whether an acquisition repeats the one before.
    - ``all``: these together.

    Where the event is unknown, days are counted from the first acquisition of all tiles, and all count as after it.
    """
    times, events = table.times.astype("datetime64[s]"), table.events.astype("datetime64[s]")
    if times.size:
        events[np.isnat(events)] = times.min() - _DAY
    events = events[:, None, None]
    days = times.astype("datetime64[D]").astype(np.int64)
    repeats = np.zeros(times.shape, bool)
    repeats[:, :, 1:] = np.diff(times, axis=2) == np.timedelta64(0)
    before = (times <= events) & ~repeats
    after = (times > events) & ~repeats
    radar = [number for number, name in enumerate(table.modalities) if name in ORBITS]
    phases = days[:, radar, :, None] % REPEAT_DAYS == np.arange(REPEAT_DAYS)
    phases &= ~repeats[:, radar, :, None]
    groups = {
        "dates": days - events.astype("datetime64[D]").astype(np.int64),
        "acquisitions": np.stack([before.sum(axis=2), after.sum(axis=2)]).transpose(1, 0, 2),
        "tracks": phases.sum(axis=2),
        "padding": repeats,
    }
    flat = {
        name: values.reshape(len(values), int(np.prod(values.shape[1:]))).astype(np.float64)
        for name, values in groups.items()
    }
    return {**flat, "all": np.concatenate(list(flat.values()), axis=1)}


def find_blocks(table: DateTable, side_m: float) -> np.ndarray:
    """Return the block of neighbouring tiles that each tile is in, shape ``(N,)``, int64.

    Args:
        table: The tiles, of one region.
        side_m: Edge of a square block in m.
    """
    cells = np.floor(table.corners / side_m).astype(np.int64)
    _, blocks = np.unique(cells, axis=0, return_inverse=True)
    return np.asarray(blocks).reshape(-1)


def compare_dates(table: DateTable) -> tuple[DateShare, ...]:
    """Return the dates whose share differs by ``MIN_GAP`` or more between annotated and other tiles, largest first."""
    found: list[DateShare] = []
    for number, modality in enumerate(table.modalities):
        days = table.times[:, number].astype("datetime64[D]")
        for day in np.unique(days):
            has = (days == day).any(axis=1)
            shares = has[table.annotated].mean(), has[~table.annotated].mean()
            if abs(shares[0] - shares[1]) >= MIN_GAP:
                found.append(DateShare(modality, str(day), *map(float, shares)))
    return tuple(sorted(found, key=lambda one: -abs(one.annotated - one.others)))
