"""How far to trust each landslide of a map: whether the orbits agree, and a class from that and the probability.

The rule is simple and monotone: a higher mean probability or one more orbit that shows the landslide never lowers the class.
`benchmarks/confidence_classes.py` measures which share of each class overlaps a labelled landslide.
"""

from collections.abc import Mapping

import numpy as np

CLASSES = ("high", "medium", "low")
BOTH, NEITHER, ONE_ORBIT = "both", "neither", "one orbit"
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
    change: Mapping[str, np.ndarray],
    shown: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Classify landslides by mean probability and by the orbits that show them.

    Args:
        probability: Mean probability of each, shape ``(N,)``.
        threshold: Minimum probability of a landslide pixel.
        change: As for :func:`describe_agreement`.
        shown: As for :func:`describe_agreement`.

    Returns:
        ``high`` if the mean probability is at least midway from the threshold to 1 and each orbit with data shows the landslide;
        ``low`` if it is not and no orbit does; else ``medium``; shape ``(N,)``, object.
    """
    clear = probability >= threshold + MIDDLE * (1 - threshold)
    seen, known = np.stack(list(shown.values())), np.isfinite(np.stack(list(change.values())))
    every, some = (seen | ~known).all(axis=0) & known.any(axis=0), seen.any(axis=0)
    words = np.full(len(probability), CLASSES[1], object)
    words[clear & every] = CLASSES[0]
    words[~clear & ~some] = CLASSES[2]
    return words
