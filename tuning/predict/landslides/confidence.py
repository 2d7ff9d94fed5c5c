"""How far to trust each landslide of a map: whether the orbits agree, and a class from size, orbits and probability.

The rule counts evidence: points for the size, for each orbit that shows the landslide, and for a clear probability. So a larger landslide,
a higher probability or one more orbit never lowers its class. `benchmarks/confidence_classes.py` measures which share of each
class overlaps a labelled landslide. On the twin the size tells most: false alarms are small, while a large landslide whose slopes
face both ways has parts that became brighter and parts that became darker, so that no orbit may show it by its mean change.
"""

from collections.abc import Mapping

import numpy as np

CLASSES = ("high", "medium", "low")
BOTH, NEITHER, ONE_ORBIT = "both", "neither", "one orbit"
RULE = (
    "A landslide has a point from 0.72 ha on (the mean of the 2018 Iburi landslides) and another from 2.88 ha on, one for each orbit that "
    "shows a change of backscatter, and one for a mean probability at least midway from the threshold to 1. Confidence is high with two points "
    "or more, medium with one, low with none."
)
MIDDLE = 0.5  # of the way from the threshold to 1: a mean probability from here on is clear


def describe_agreement(
    change: Mapping[str, np.ndarray], shown: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Say for each landslide which orbits show it.

    Args:
        change: Mean change by orbit in dB, each of shape ``(N,)``; NaN = no data.
        shown: Whether the orbit shows it, each of shape ``(N,)``, bool.

    Returns:
        ``both``, ``s1asc only``, ``s1dsc only``, ``neither``, or ``one orbit`` where there are not two orbits with data, shape
        ``(N,)``, object.
    """
    count = len(next(iter(change.values())))
    words = np.full(count, ONE_ORBIT, object)
    if len(change) < 2:
        return words
    seen, known = np.stack(list(shown.values())), np.isfinite(np.stack(list(change.values())))
    several = known.sum(axis=0) > 1
    words[several] = NEITHER
    for number, orbit in enumerate(shown):
        words[several & seen[number]] = f"{orbit} only"
    words[several & (seen.sum(axis=0) > 1)] = BOTH
    return words


def classify(
    probability: np.ndarray,
    threshold: float,
    shown: Mapping[str, np.ndarray],
    size_class: np.ndarray,
) -> np.ndarray:
    """Classify landslides by size, mean probability and the orbits that show them.

    Args:
        probability: Mean probability of each, shape ``(N,)``.
        threshold: Minimum probability of a landslide pixel.
        shown: As for :func:`describe_agreement`.
        size_class: Places in `tuning.objects.object_scores.SIZES`, shape ``(N,)``.

    Returns:
        ``high``, ``medium`` or ``low`` by ``RULE``, shape ``(N,)``, object.
    """
    clear = probability >= threshold + MIDDLE * (1 - threshold)
    points = clear.astype(int) + np.stack(list(shown.values())).sum(axis=0)
    points += np.maximum(size_class - 1, 0)  # the first two classes end at 0.72 ha
    words: np.ndarray = np.array(CLASSES, object)[2 - np.minimum(points, 2)]
    return words
