"""How often the verdicts of a matrix are right on simulated cells whose true effects are known.

``python benchmarks/matrix_rates.py`` simulates 200 matrices per line, on the layout of Hokkaido's test tiles: two architectures in nine cells, the
reference, two levels of a primary axis, and six of others. Seeds and tile effects spread as those of networks on the twin.

- all levels equal: any effect of the primary axis called better or worse in at most 7 %, any of the others in at most 7 %
- all levels equal, but the seeds of one level of the primary axis differ by 3 or 6 times as much as others: how much that raises both
- half of the levels lift landslides: the expected share of false findings of the others at most 7 %, how many are found
- coverage of the 95 % interval of an effect, of a mean effect and of a difference of differences: 93 to 97 %
- a learning curve through levels with known noise: coverage of its band, and of "tiles for + 0.01 AP"
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from _simulated import Layout, describe_layout, find_gain, read_layout, simulate
from threadpoolctl import threadpool_limits

from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.adjust import adjust
from tuning.statistics.contrasts import Contrast, Sample, Weights, estimate_contrasts
from tuning.statistics.influence import ModelScores, measure_scores
from tuning.statistics.learning_curve import fit_learning_curve
from tuning.statistics.variance_parts import split_unequal

LEVELS, PRIMARY = 8, 2  # levels beside the reference, the first of which are of the primary axis
SEED_SPREAD, TILE_SPREAD = 0.05, 0.05  # of networks on the twin
GAP = 0.08  # AP of a planted effect
LINE = "{:<40}{:>6}{:>10}{:>10}{:>8}{:>9}{:>9}{:>9}{:>9}"
HEAD = ("", "seeds", "any prim.", "any other", "FDR", "found", "covered", "mean", "inter.")


@dataclass(frozen=True)
class Rates:
    """Shares of simulated matrices or of their effects; NaN where there is nothing to count."""

    any_primary: float
    any_other: float
    false_share: float
    found: float
    covered: float
    covered_mean: float
    covered_interaction: float


def list_contrasts() -> list[Weights]:
    """Return the effects on two architectures, level by level: on each, their mean, and their difference."""
    contrasts: list[Weights] = []
    for level in range(1, LEVELS + 1):
        one, other = ({f"{a}{level}": 1.0, f"{a}0": -1.0} for a in "uv")
        contrasts += [one, other]
        contrasts.append({name: weight / 2 for name, weight in (one | other).items()})
        contrasts.append(one | {name: -weight for name, weight in other.items()})
    return contrasts


def simulate_scores(
    rng: np.random.Generator,
    layout: Layout,
    gains: Sequence[float],
    seeds: int,
    length: int,
    wider: float,
) -> Mapping[str, ModelScores]:
    """Simulate both architectures in every cell, all on the same tiles, and score them."""
    names = [f"{a}{level}" for level in range(LEVELS + 1) for a in "uv"]
    lifts = np.repeat(gains, 2)
    spreads = np.array([SEED_SPREAD * (wider if name[1:] == "1" else 1.0) for name in names])
    models = simulate(rng, layout, lifts, seeds, length, TILE_SPREAD, spreads, names)
    return measure_scores(models, pooled_ap, layout.units())


def measure(
    layout: Layout, planted: float, seeds: int, length: int, matrices: int, wider: float = 1.0
) -> Rates:
    """Simulate matrices and count verdicts; every second level lifts landslides by *planted* logits.

    The seeds of the first level differ by *wider* times as much as those of others.
    """
    rng, units, contrasts = np.random.default_rng(7), layout.units(), list_contrasts()
    gains = [0.0] + [planted * (level % 2 == 0) for level in range(1, LEVELS + 1)]
    kinds = {f"{a}{level}": a for level in range(LEVELS + 1) for a in "uv"}
    every: list[list[Contrast]] = []
    for _ in range(matrices):
        scores = simulate_scores(rng, layout, gains, seeds, length, wider)
        own = split_unequal(scores, kinds)
        every.append(estimate_contrasts([Sample(units, scores)], contrasts, own))
    moved = np.repeat(np.array(gains[1:]) != 0, 4) & np.tile([True, True, True, False], LEVELS)
    return _count(every, moved)


def _count(every: Sequence[Sequence[Contrast]], moved: np.ndarray) -> Rates:
    kind = np.tile(np.arange(4), LEVELS)  # effect on u, on v, their mean, their difference
    primary = (np.arange(4 * LEVELS) < 4 * PRIMARY) & (kind < 3)
    found = np.zeros((len(every), 4 * LEVELS), bool)
    for row, effects in enumerate(every):
        p = np.array([one.p for one in effects])
        found[row, primary] = adjust(p[primary], "Holm") < 0.05
        found[row, ~primary] = adjust(p[~primary], "FDR") < 0.05
    false = found & ~moved
    shares = [
        false[row, ~primary].sum() / max(found[row, ~primary].sum(), 1) for row in range(len(every))
    ]
    estimates = np.array([[one.estimate for one in effects] for effects in every])
    truth = np.where(moved, estimates.mean(axis=0), 0.0)
    ends = np.array([[(one.low, one.high) for one in effects] for effects in every])
    covered = (ends[..., 0] <= truth) & (truth <= ends[..., 1])
    return Rates(
        false[:, primary].any(axis=1).mean(),
        false[:, ~primary].any(axis=1).mean(),
        float(np.mean(shares)),
        found[:, moved].mean() if moved.any() else float("nan"),
        *(covered[:, np.isin(kind, some)].mean() for some in ((0, 1), (2,), (3,))),
    )


def measure_curves(levels: int, noise: float, curves: int) -> tuple[float, float, float]:
    """Return coverage of a curve's band within and beyond its levels, and of the amount for + 0.01 AP."""
    rng, amounts = np.random.default_rng(5), np.geomspace(20.0, 320.0, levels)
    plateau, scale, exponent = 0.6, 0.4, 0.5
    truth = plateau - scale * (amounts / 20) ** -exponent
    more = 20 * ((plateau - truth[-1] - 0.01) / scale) ** (-1 / exponent) - amounts[-1]
    rows = []
    for _ in range(curves):
        scores = truth + noise * rng.standard_normal(levels)
        drawn = scores + noise * rng.standard_normal((499, levels))
        curve = fit_learning_curve(amounts, scores, drawn)
        known = plateau - scale * (curve.grid / 20) ** -exponent
        held, inside = (curve.low <= known) & (known <= curve.high), curve.grid <= amounts[-1]
        rows.append(
            (held[inside].mean(), held[~inside].mean(), curve.more_low <= more <= curve.more_high)
        )
    within, beyond, enough = np.mean(rows, axis=0)
    return float(within), float(beyond), float(enough)


def format_rates(label: str, seeds: int, rates: Rates) -> str:
    """Format a line of the table."""
    values = (
        *(rates.any_primary, rates.any_other, rates.false_share, rates.found),
        *(rates.covered, rates.covered_mean, rates.covered_interaction),
    )
    return LINE.format(label, seeds, *("" if np.isnan(v) else f"{100 * v:.1f} %" for v in values))


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--matrices", type=int, default=200, help="simulated matrices per line")
    matrices = parser.parse_args().matrices
    layout, began = read_layout(), perf_counter()
    print(f"{describe_layout(layout)}; {matrices} simulated matrices per line")
    print(LINE.format(*HEAD))
    gain = find_gain(layout, GAP)
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        for planted, label in ((0.0, "equal"), (gain, f"half + {GAP} AP")):
            for length in (1, 2, 4):
                for seeds in (2, 3, 5):
                    rates = measure(layout, planted, seeds, length, matrices)
                    text = f"{label}, effects over {length} tiles"
                    print(format_rates(text, seeds, rates), flush=True)
        for wider in (3.0, 6.0):
            for seeds in (2, 3, 5, 10):
                rates = measure(layout, 0.0, seeds, 2, matrices, wider)
                text = f"equal, one level's seeds {wider:g} x as wide"
                print(format_rates(text, seeds, rates), flush=True)
    for levels, noise in ((3, 0.01), (4, 0.01), (4, 0.02), (8, 0.01)):
        within, beyond, more = measure_curves(levels, noise, matrices)
        print(
            f"learning curve, {levels} levels, error {noise:g}: band {within:.1%} within, {beyond:.1%} beyond; tiles for + 0.01 AP {more:.1%}"
        )
    print(f"{perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
