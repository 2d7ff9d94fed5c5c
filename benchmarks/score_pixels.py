"""Speed of scoring pixels: histograms compared with scikit-learn's sorting, and the difference of the results.

    python benchmarks/score_pixels.py [--pixels N]

Both compute average precision and the whole precision-recall curve from the same probabilities and labels, on one thread.
The pixels are drawn like the output of a confident network: 7 % landslides, logits with a standard deviation of 4. If
torchmetrics is installed (it is no dependency of this project), its average precision at even thresholds is measured too.
"""

import argparse
import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import average_precision_score, precision_recall_curve

from tuning.metrics.curve import average_precision, bound_average_precision, trace_curve
from tuning.metrics.histogram import count_bins

PIXELS = 2_000_000
ROUNDS = 5
REPEATS = 9  # of ours in a round, since it is over in milliseconds
AIM_RATIO, AIM_BINNED, AIM_GAP = 50.0, 100.0, 1e-4
THRESHOLDS = 1000  # of torchmetrics, which passes over all pixels for each


def draw(pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw probabilities, float32, and labels, uint8, both of shape ``(pixels,)``."""
    rng = np.random.default_rng(0)
    mask = rng.random(pixels) < 0.07
    logits = rng.normal(np.where(mask, 2.0, -6.0), 4.0)
    return torch.from_numpy(logits).float().sigmoid(), torch.from_numpy(mask.astype(np.uint8))


def score_ours(probs: torch.Tensor, mask: torch.Tensor) -> float:
    """Count, trace the curve, return the average precision."""
    counts = count_bins(probs, mask).numpy()
    trace_curve(counts)
    return average_precision(counts)


def score_sorted(probs: torch.Tensor, mask: torch.Tensor) -> float:
    """Compute the same with scikit-learn."""
    precision_recall_curve(mask.numpy(), probs.numpy())
    return float(average_precision_score(mask.numpy(), probs.numpy()))


def score_binned(probs: torch.Tensor, mask: torch.Tensor) -> float:
    """Compute the same with torchmetrics."""
    theirs = importlib.import_module("torchmetrics.functional.classification")
    theirs.binary_precision_recall_curve(probs, mask.long(), thresholds=THRESHOLDS)
    return float(theirs.binary_average_precision(probs, mask.long(), thresholds=THRESHOLDS))


def compare_binned(probs: torch.Tensor, mask: torch.Tensor, exact: float) -> bool:
    """Print how much longer torchmetrics takes, and how far it is from the exact value; return whether the aim is met."""
    if importlib.util.find_spec("torchmetrics") is None:
        print("torchmetrics is not installed: not compared (pip install torchmetrics)")
        return True
    began = time.perf_counter()
    gap = abs(score_binned(probs, mask) - exact)
    theirs = time.perf_counter() - began
    ours = statistics.median(measure(score_ours, probs, mask) for _ in range(REPEATS))
    print(
        f"torchmetrics at {THRESHOLDS} thresholds / histogram: {theirs / ours:.0f} x (aim {AIM_BINNED:.0f}); "
        f"its difference {gap:.1e}"
    )
    return theirs / ours >= AIM_BINNED


def measure(work: Callable[[torch.Tensor, torch.Tensor], float], *pixels: torch.Tensor) -> float:
    """Return seconds."""
    began = time.perf_counter()
    work(*pixels)
    return time.perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Print the times, their ratio and the difference; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=PIXELS, help="default: %(default)s")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    probs, mask = draw(args.pixels)
    ours, theirs = score_ours(probs, mask), score_sorted(probs, mask)  # and warm up
    low, high = bound_average_precision(count_bins(probs, mask).numpy())
    times: dict[str, list[float]] = {"histogram": [], "scikit-learn": []}
    for _ in range(ROUNDS):  # in turns, so that a busy machine slows both alike
        repeated = [measure(score_ours, probs, mask) for _ in range(REPEATS)]
        times["histogram"].append(statistics.median(repeated))
        times["scikit-learn"].append(measure(score_sorted, probs, mask))
    code = report(times, args.pixels, abs(ours - theirs), (ours - low, high - ours))
    return code if compare_binned(probs, mask, theirs) else 1


def report(
    times: dict[str, list[float]], pixels: int, gap: float, bounds: tuple[float, float]
) -> int:
    """Print the table; return the exit code."""
    print(f"{pixels:,} pixels, median of {ROUNDS} rounds, one thread, milliseconds:")
    for name, values in times.items():
        middle, least, most = (1e3 * f(values) for f in (statistics.median, min, max))
        print(f"  {name:<13}{middle:>8.1f}   ({least:.1f} to {most:.1f})")
    ratio = statistics.median(times["scikit-learn"]) / statistics.median(times["histogram"])
    print(f"scikit-learn / histogram: {ratio:.0f} x (aim {AIM_RATIO:.0f})")
    print(f"difference in average precision: {gap:.1e} (aim {AIM_GAP:.0e}; ", end="")
    print(f"bounds of any order in the bins: -{bounds[0]:.1e}, +{bounds[1]:.1e})")
    return 0 if ratio >= AIM_RATIO and gap <= AIM_GAP else 1


if __name__ == "__main__":
    sys.exit(main())
