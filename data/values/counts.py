"""What a map's reading found to be no data, by channel and day, for its summary and notes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from data.io.safe_json import refused_error
from data.values.backscatter import CONVERT
from data.values.tally import NO_DATA, BackscatterError, Tally


@contextmanager
def refusing(source: str) -> Iterator[None]:
    """Turn an error of `data.values` into one that names the source."""
    try:
        yield
    except BackscatterError as error:
        remedy = error.remedy or CONVERT
        raise refused_error(error.rule, error.got, source, remedy) from error


@dataclass
class NoDataCounts:
    """Pixels without data in a scene.

    Attributes:
        counts: By channel, such as ``s1asc:VV``, and day: pixels read, and those without data by kind.
        fills: Numbers that no file declares as no data, by channel.
    """

    counts: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    fills: dict[str, set[float]] = field(default_factory=dict)

    def add(self, channel: str, times: np.ndarray, tally: Tally, steps: Sequence[int] = ()) -> None:
        """Add a band's counts.

        Args:
            channel: Such as ``s1asc:VV``.
            times: Times of the acquisitions in *tally*, shape ``(T,)``.
            tally: The counts.
            steps: Those of the acquisitions that are mapped; all by default.
        """
        days = [str(time) for time in times.astype("datetime64[D]")]
        of_channel = self.counts.setdefault(channel, {})
        self.fills.setdefault(channel, set()).update(tally.fills)
        for step in steps or range(len(days)):
            day = of_channel.setdefault(days[step], Counter())
            day["pixels"] += int(tally.pixels[step])
            for kind in NO_DATA:
                day[kind] += int(tally.counts[kind][step])

    def list_shares(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the share of each kind of no data by channel and day, only where there is some."""
        return {
            channel: shares
            for channel, days in self.counts.items()
            if (shares := {day: share for day, one in days.items() if (share := _divide(one))})
        }

    def add_notes(self, notes: list[str]) -> list[str]:
        """Add a sentence to *notes* for each channel with no data that no file declares; return those that are new."""
        found = []
        for channel, days in self.counts.items():
            tally = Tally(channel.replace(":", " "), len(days))
            tally.pixels += [one["pixels"] for one in days.values()]
            for kind in NO_DATA:
                tally.counts[kind] += [one[kind] for one in days.values()]
            tally.fills = self.fills[channel]
            found.append(tally.describe(list(days)))
        new = [note for note in found if note and note not in notes]
        notes += new
        return new


def _divide(counts: Counter[str]) -> dict[str, float]:
    return {kind: counts[kind] / counts["pixels"] for kind in NO_DATA if counts[kind]}
