"""How often verdicts are right on simulated models whose true differences are known.

``python benchmarks/verdict_rates.py`` simulates 200 test areas per line, on the layout of Hokkaido's test tiles:

- four equal architectures, whose tile effects are correlated over 1, 2 and 4 tiles: any pair called better in at most 7 %
- a planted gap of 0.08 AP: found in at least 85 % with 5 seeds and 60 % with 3
- coverage of the 95 % interval of one difference on its own: 93 to 97 %
- two equal models within a margin of 0.02 AP: how often "equivalent", by the size of the test area, for networks and for
  models that seeds hardly change, such as boosted trees

Spreads are those of networks on the twin: standard deviation of a seed 0.016 AP, standard error of a difference 0.014 with 3
seeds. The tile effects of the equal architectures are twice as large.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from _simulated import Layout, describe_layout, find_gain, read_layout, repeat_layout, simulate

from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.compare import compare_all
from tuning.statistics.family import Family

GAP = 0.08
DRAWS = 1999
SEED_SPREAD = 0.05  # of networks on the twin
STEADY_SPREAD = 0.005  # of boosted trees
TILE_SPREAD = 0.05  # of networks on the twin
LARGE_SPREAD = 0.10
LINE = "{:<34}{:>7}{:>8}{:>9}{:>8}{:>8}{:>9}{:>10}"


@dataclass(frozen=True)
class Rates:
    """Shares of simulated areas, over the pairs of models that are equal unless named otherwise."""

    any_better: float
    found: float
    covered: float
    equivalent: float
    error: float
    detectable: float


def measure(
    layout: Layout,
    gains: Sequence[float],
    seeds: int,
    length: int,
    tile_spread: float,
    areas: int,
    gap: float = 0.0,
    seed_spread: float = SEED_SPREAD,
) -> Rates:
    """Simulate areas and count verdicts; the first model is *gap* better than the others."""
    rng, units = np.random.default_rng(7), layout.units()
    rows = []
    for _ in range(areas):
        models = simulate(rng, layout, gains, seeds, length, tile_spread, seed_spread)
        kinds = dict.fromkeys(models, "network")
        family = compare_all(models, pooled_ap, units, rng, kinds, draws=DRAWS)
        lone = {name: models[name] for name in ("a", "b")}
        pair = compare_all(lone, pooled_ap, units, rng, kinds, draws=DRAWS).pairs[0]
        rows.append((*_judge(family, gap), pair.low <= gap <= pair.high))
    any_better, found, equivalent, error, detectable, covered = np.mean(rows, axis=0)
    return Rates(any_better, found, covered, equivalent, error, detectable)


def _judge(family: Family, gap: float) -> tuple[float, ...]:
    equal = [pair for pair in family.pairs if not gap or pair.a != "a"]
    planted = [pair for pair in family.pairs if gap and pair.a == "a"]
    return (
        any(pair.decided for pair in equal),
        np.mean([pair.verdict == "better" for pair in planted]) if planted else float("nan"),
        np.mean([pair.verdict == "equivalent" for pair in equal]),
        np.mean([pair.needs.error for pair in equal]),
        family.detectable,
    )


def _print(label: str, seeds: int, rates: Rates) -> None:
    values = (rates.any_better, rates.found, rates.covered, rates.equivalent)
    shares = ["" if np.isnan(value) else f"{100 * value:.1f} %" for value in values]
    print(
        LINE.format(label, seeds, *shares, f"{rates.error:.4f}", f"{rates.detectable:.3f}"),
        flush=True,
    )


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--areas", type=int, default=200, help="simulated areas per line")
    areas = parser.parse_args().areas
    layout, began = read_layout(), perf_counter()
    print(f"{describe_layout(layout)}; {areas} simulated areas per line")
    print(LINE.format("", "seeds", "false", "found", "covered", "equiv.", "error", "80 % power"))
    equal = (0.0, 0.0, 0.0, 0.0)
    for length in (1, 2, 4):
        for seeds in (3, 5, 10):
            rates = measure(layout, equal, seeds, length, LARGE_SPREAD, areas)
            _print(f"equal, effects over {length} tiles", seeds, rates)
    gain = find_gain(layout, GAP)
    for length in (1, 2):
        for seeds in (3, 5):
            gains = (gain, 0.0, 0.0, 0.0)
            rates = measure(layout, gains, seeds, length, TILE_SPREAD, areas, GAP)
            _print(f"gap {GAP}, effects over {length} tiles", seeds, rates)
    for kind, spread in (("networks", SEED_SPREAD), ("trees", STEADY_SPREAD)):
        for times in (1, 4, 8):
            large, count = repeat_layout(layout, times), max(20, areas // times)
            rates = measure(large, (0.0, 0.0), 10, 1, TILE_SPREAD, count, 0.0, spread)
            _print(f"equal {kind}, {len(large.corners)} tiles", 10, rates)
    print(f"{perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
