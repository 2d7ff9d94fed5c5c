"""Counts of what was found while a band was read: no data of each kind, and values that cannot be backscatter, by acquisition.

This module becomes part of every logged model.
"""

from collections.abc import Sequence

import numpy as np

from data.values.units import SOME, Units

# dB. What lies beyond is no backscatter of a 10 m pixel: another unit, or damage.
DB_RANGE = (-50.0, 10.0)
# dB. Published files have nothing above it (raw power is clipped at 1). Buildings and layover are brighter in files of other
# makers; they are taken as bright as this, since no model saw more.
DB_CEILING = 0.0
MAX_BEYOND = 0.01  # share of an image's pixels that may lie beyond DB_RANGE: strong scatterers do
NO_DATA = ("declared", "fills", "zeros", "powerless")
FILLS_SHOWN = 5


class BackscatterError(ValueError):
    """Values that cannot be taken as backscatter; the message has the rule, the value got and the remedy, if there is one.

    Attributes:
        verdict: Short name of the broken rule, as in ``python -m data.check``.
        rule: What must hold.
        got: What was found.
        remedy: What to do; empty where that depends on the source.
    """

    def __init__(self, verdict: str, rule: str, got: str, remedy: str = "") -> None:
        super().__init__(f"{rule}, but got {got}. {remedy}".strip())
        self.verdict, self.rule, self.got, self.remedy = verdict, rule, got, remedy


class Tally:
    """The counts of one band.

    Attributes:
        name: The band, for messages, such as ``VV``.
        allowed: Share of the valid pixels of an acquisition that may lie beyond ``DB_RANGE``.
        pixels: Pixels read, by acquisition, shape ``(T,)``.
        counts: By kind, each of shape ``(T,)``: no data ``declared`` by the file (NaN on reading), undeclared ``fills``, ``zeros``
            in blobs and along borders of dB, and ``powerless`` values, linear power of zero or less; and valid values ``beyond`` the range, and of the ``contrary``
            sign.
        fills: Undeclared fills found, a few.
        lows: Lowest valid value in dB; the highest is in ``highs``.
    """

    def __init__(self, name: str, dates: int, allowed: float = MAX_BEYOND) -> None:
        self.name, self.allowed = name, allowed
        self.pixels = np.zeros(dates, np.int64)
        kinds = (*NO_DATA, "beyond", "contrary")
        self.counts = {kind: np.zeros(dates, np.int64) for kind in kinds}
        self.fills: set[float] = set()
        self.lows, self.highs = np.inf, -np.inf

    @property
    def valid(self) -> np.ndarray:
        """Pixels with data, by acquisition, shape ``(T,)``."""
        return np.asarray(self.pixels - sum(self.counts[kind] for kind in NO_DATA))

    def add(self, kind: str, at: slice, places: np.ndarray) -> None:
        """Count places, shape ``(t, H, W)``, of the acquisitions at *at*."""
        self.counts[kind][at] += np.count_nonzero(places, axis=(-2, -1))

    def add_fills(self, values: np.ndarray) -> None:
        """Remember which fills were found."""
        if values.size and len(self.fills) < FILLS_SHOWN:
            self.fills |= {float(value) for value in np.unique(values)[:FILLS_SHOWN]}

    def check(self, units: Units, whole: int | None = None) -> None:
        """Raise if an acquisition has too many values beyond the range, or of the contrary sign.

        Args:
            units: The unit that was taken.
            whole: Pixels of the whole acquisition, while it is being read; by default those that were read.

        Raises:
            BackscatterError: With the verdict ``out-of-range`` or ``wrong-unit``.
        """
        low, high = DB_RANGE
        known = self.valid if whole is None else np.maximum(whole, self.valid)
        if (self.counts["beyond"] > self.allowed * known).any():
            rule = f"{self.name} must be in [{low:g}, {high:g}] dB"
            raise BackscatterError("out-of-range", rule, f"{self.lows:.4g} to {self.highs:.4g}")
        known = known + self.counts["powerless"]
        if (self.counts["contrary"] > SOME * known).any():
            odd = int((self.counts["contrary"] > SOME * known).argmax())
            sign, wanted = ("above", "dB") if units == "dB" else ("below", "linear power")
            rule = f"{self.name} must be {wanted} on every date"
            got = f"values {sign} zero in most pixels of date {odd + 1}"
            remedy = "Convert all dates and bands to one unit."
            raise BackscatterError("wrong-unit", rule, got, remedy)

    def list_shares(self) -> list[dict[str, float]]:
        """Return the share of each kind of no data in each acquisition, without zeros."""
        pixels = np.maximum(self.pixels, 1)
        return [
            {
                kind: float(self.counts[kind][t] / pixels[t])
                for kind in NO_DATA
                if self.counts[kind][t]
            }
            for t in range(len(pixels))
        ]

    def describe(self, days: Sequence[str], ignored: Sequence[float] = ()) -> str:
        """Return a sentence on the no data that the file does not declare, empty if there is none.

        Args:
            days: Day of each acquisition.
            ignored: Fills that everybody knows, such as -9999.
        """
        zeros, fills = self.counts["zeros"], self.counts["fills"]
        shown = sorted(self.fills - set(ignored))
        count = (fills if shown else 0) + zeros
        if not np.any(count):
            return ""
        shares = 100 * count / np.maximum(self.pixels, 1)
        dates = [f"{shares[t]:.2g} % on {days[t]}" for t in map(int, np.flatnonzero(count))]
        dates = dates if len(dates) <= 3 else [*dates[:2], "…", dates[-1]]
        numbers = [f"{number:.8g}" for number in shown] + (["0"] if zeros.any() else [])
        return (
            f"{self.name} holds {', '.join(numbers)} where there is no image, though the file does not declare it: "
            f"taken as no data ({', '.join(dates)})."
        )
