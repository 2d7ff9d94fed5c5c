"""The threshold of a map that reads few acquisitions after the event: no more false pixels and alarms on val than with all."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tuning.metrics.curve import choose_cautious_threshold, choose_threshold
from tuning.metrics.histogram import reach
from tuning.metrics.scores import confuse
from tuning.objects.objects import count_objects

_FACTOR, _STEPS = 1.25, 16  # of the odds, so that they rise to 36 times at most


def count_alarms(bins: np.ndarray, masks: np.ndarray, threshold: float) -> int:
    """Return the found objects that touch no landslide, of maps and masks ``(N, H, W)``."""
    found = count_objects(bins >= reach(threshold), masks).total()
    return int(found.found.sum() - found.touching.sum())


@dataclass(frozen=True)
class FalseLimits:
    """What a map of val from few acquisitions may have at most.

    Attributes:
        threshold: That of the highest F1 with all acquisitions.
        pixels: False pixels with all acquisitions at that threshold.
        alarms: False alarms with all acquisitions at that threshold.
        masks: Labels of the val tiles, shape ``(N, H, W)``.
    """

    threshold: float
    pixels: int
    alarms: int
    masks: np.ndarray

    @classmethod
    def measure(cls, counts: np.ndarray, bins: np.ndarray, masks: np.ndarray) -> Self:
        """Measure val with all acquisitions.

        Args:
            counts: Histogram ``(2, BINS)``.
            bins: Each pixel's bin, shape ``(N, H, W)``.
            masks: Labels, the same shape.
        """
        threshold = choose_threshold(counts)
        alarms = count_alarms(bins, masks, threshold)
        return cls(threshold, confuse(counts, threshold).fp, alarms, masks)

    def choose(self, counts: np.ndarray, bins: np.ndarray) -> float:
        """Choose the threshold of val with few acquisitions.

        It is that of the highest F1 among those with no more false pixels; from there it is raised until there are no more
        false alarms either.

        Args:
            counts: Histogram ``(2, BINS)``.
            bins: Each pixel's bin, shape ``(N, H, W)``.
        """
        cautious = choose_cautious_threshold(counts, self.pixels)
        return raise_threshold(bins, self.masks, cautious, self.alarms)


def raise_threshold(
    bins: np.ndarray, masks: np.ndarray, threshold: float, most_alarms: int
) -> float:
    """Return the lowest of some rising thresholds with at most so many false alarms; if none has, that with the fewest."""
    odds = threshold / max(1 - threshold, 1e-6)
    rising = [odds * _FACTOR**step for step in range(_STEPS + 1)]
    found: dict[float, int] = {}
    for raised in (each / (1 + each) for each in rising):
        found[raised] = count_alarms(bins, masks, raised)
        if found[raised] <= most_alarms:
            return raised
    return min(found, key=lambda raised: found[raised])
