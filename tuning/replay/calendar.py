"""The calendar after an event: the days on which test tiles get a new acquisition, and what each series holds by then."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.pack import Pack
from data.pack.channels import list_modalities

MOST_DAYS = (
    16  # of a calendar; of more days, evenly spread ones are kept, with the first and the last
)


@dataclass(frozen=True)
class Calendar:
    """Days after the event, and the acquisitions that each tile has by then.

    Attributes:
        days: Whole days after the event, ascending, shape ``(D,)``, int64: 0, before any acquisition, then days on which a test
            tile gets one that the model reads. With the last day every tile has all of them.
        modalities: The modalities that the model reads, in the order of the pack.
        after: Acquisitions after the event that each row of the pack holds, shape ``(D, N, modalities of the pack)``, int64.
    """

    days: np.ndarray
    modalities: tuple[str, ...]
    after: np.ndarray

    def average(self, pack: Pack, rows: np.ndarray) -> np.ndarray:
        """Return the acquisitions after the event, as means over some rows, shape ``(D, M)`` of the M modalities read."""
        read = [pack.modalities.index(name) for name in self.modalities]
        mean: np.ndarray = self.after[:, rows][:, :, read].mean(axis=1)
        return mean


def make_calendar(
    pack: Pack,
    test: Sequence[str],
    val: Sequence[str],
    channels: Iterable[str],
    steps: str,
    timesteps: int,
) -> Calendar:
    """Return the calendar of test tiles.

    A test tile has by a day what was acquired until then, by its own dates. A val tile has as many acquisitions as half of the
    test tiles have at least (the median): its own calendar may be that of another event.

    Args:
        pack: The packed tiles.
        test: The test tiles.
        val: The val tiles.
        channels: Channels that the model reads.
        steps: How it chooses acquisitions, one of ``data.pack.channels.STEPS``.
        timesteps: Number of acquisitions that it reads of each modality.
    """
    selected = pack.select_steps(steps, timesteps)
    times = np.take_along_axis(pack.times, selected, axis=2)
    # The day by whose end, counted from the event, an image is there; 0 and less is before the event.
    number = np.ceil((times - pack.events[:, None, None]) / np.timedelta64(1, "D"))
    modalities = tuple(name for name in pack.modalities if name in list_modalities(channels))
    read = [pack.modalities.index(name) for name in modalities]
    rows = pack.rows(test)
    days = _thin(np.unique(number[rows][:, read]))
    counts = np.stack([((number > 0) & (number <= day)).sum(axis=2) for day in days])
    usual = np.median(counts[:, rows], axis=1).astype(np.int64)
    counts[:, pack.rows(val)] = usual[:, None]
    return Calendar(days, modalities, counts)


def _thin(days: np.ndarray) -> np.ndarray:
    """Return day 0 and the days after the event, at most ``MOST_DAYS`` of them all."""
    every = np.concatenate([[0], days[days > 0]]).astype(np.int64)
    places = np.linspace(0, len(every) - 1, min(MOST_DAYS, len(every))).round().astype(int)
    kept: np.ndarray = every[places]
    return kept
