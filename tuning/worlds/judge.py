"""Verdicts and intervals held against what other worlds show: were they right, and did they cover.

Two estimands are judged. **This area**: each world alone, spatial blocks of its test tiles as units. **New events**: groups of
consecutive worlds, each world an event. The difference that both are held against is the mean over worlds, which only the second
one claims to estimate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtrit
from scipy.stats import kendalltau

from data.tiles.paths import region_of
from tuning.baselines.baselines import is_deterministic
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.blocks import make_units
from tuning.statistics.clusters import compare_events
from tuning.statistics.compare import compare_all
from tuning.statistics.estimate import FIXED
from tuning.worlds.world import SPLIT, World

AREA, EVENTS = "this area", "new events"
SEED = 2018  # of the bootstrap
LEVEL = 0.95


@dataclass(frozen=True)
class Rules:
    """How worlds are compared: margin of equivalence, edge of a block in tiles, worlds in a group of events."""

    margin: float
    block_tiles: int
    group: int


@dataclass(frozen=True)
class Claim:
    """What one comparison said about a pair.

    Attributes:
        worlds: Seeds of the worlds that it saw.
        a, b: The models.
        difference, low, high, error: Of the average precision: difference, 95 % interval, standard error.
        verdict: Of *a*.
    """

    worlds: tuple[int, ...]
    a: str
    b: str
    difference: float
    low: float
    high: float
    error: float
    verdict: str


@dataclass(frozen=True)
class Scores:
    """Average precision of each model in each world, shape ``(W, M)``, against the labels and against the true ground."""

    seeds: tuple[int, ...]
    models: tuple[str, ...]
    labels: np.ndarray
    truth: np.ndarray

    def gaps(self, a: str, b: str) -> np.ndarray:
        """Return the difference of two models in each world, shape ``(W,)``."""
        return np.asarray(
            self.labels[:, self.models.index(a)] - self.labels[:, self.models.index(b)]
        )


def score_world(sums: Mapping[str, np.ndarray]) -> list[float]:
    """Return each model's average precision, mean over seeds."""
    return [
        float(pooled_ap(counts.sum(axis=1, dtype=np.float64)).mean()) for counts in sums.values()
    ]


def compare_world(world: World, models: Sequence[str], rules: Rules) -> list[Claim]:
    """Compare every two of *models* in one world as one family."""
    chosen = {key: world.labels[key].astype(np.float64) for key in models}
    labels = chosen[models[0]][0].reshape(len(world.tile_ids), 2, -1)
    regions = [region_of(tile) for tile in world.tile_ids]
    folds = [SPLIT] * len(regions)
    units = make_units(world.corners, folds, regions, labels[:, 1].sum(axis=1), rules.block_tiles)
    kinds = {key: FIXED if is_deterministic(key) else "learning" for key in models}
    rng = np.random.default_rng(SEED)
    family = compare_all(chosen, pooled_ap, units, rng, kinds, rules.margin, rules.block_tiles)
    return [
        Claim((world.seed,), p.a, p.b, p.difference, p.low, p.high, p.needs.error, p.verdict)
        for p in family.pairs
    ]


def compare_groups(scores: Scores, pairs: Sequence[tuple[str, str]], rules: Rules) -> list[Claim]:
    """Compare *pairs* as one family over every group of consecutive worlds; the last groups go on with the first worlds."""
    count = len(scores.seeds)
    starts = range(count) if count > rules.group else range(1)
    claims = []
    for start in starts:
        rows = [(start + step) % count for step in range(min(rules.group, count))]
        for a, b in pairs:
            one, other = (scores.labels[rows, scores.models.index(key)] for key in (a, b))
            pair = compare_events(one, other, rules.margin, (a, b), len(pairs))
            seen = tuple(scores.seeds[row] for row in rows)
            claims.append(
                Claim(seen, a, b, pair.difference, pair.low, pair.high, pair.error, pair.verdict)
            )
    return claims


def judge(scores: Scores, claims: Sequence[Claim], margin: float) -> dict[str, Any]:
    """Judge the claims about one pair against all worlds.

    Returns:
        ``difference``, ``spread``: mean and standard deviation between worlds; ``shown``: what the worlds show, ``better``,
        ``worse`` or ``no difference`` (95 % interval of Student over worlds); ``better``, ``worse``, ``equivalent``,
        ``undecided``: how often that was the verdict; ``right``, ``wrong``; ``coverage`` of the mean over worlds by the
        intervals; ``sd_ratio``: standard deviation of the claimed differences over their mean standard error.
    """
    first = claims[0]
    gaps = scores.gaps(first.a, first.b)
    mean, spread = float(gaps.mean()), float(gaps.std(ddof=1))
    half = float(stdtrit(len(gaps) - 1, (1 + LEVEL) / 2)) * spread / np.sqrt(len(gaps))
    shown = "no difference" if abs(mean) <= half else "better" if mean > 0 else "worse"
    verdicts = [claim.verdict for claim in claims]
    counts = {v: verdicts.count(v) for v in ("better", "worse", "equivalent", "undecided")}
    equivalent = counts["equivalent"] if abs(mean) < margin else 0
    right = equivalent + counts.get(shown, 0)
    claimed = [claim.difference for claim in claims]
    errors = float(np.mean([claim.error for claim in claims]))
    return {
        "difference": mean,
        "spread": spread,
        "shown": shown,
        **counts,
        "right": right,
        "wrong": len(claims) - counts["undecided"] - right,
        "coverage": _cover(scores, claims, gaps),
        "sd_ratio": _spread(claimed, len(first.worlds) / len(gaps)) / errors,
    }


def _spread(claimed: Sequence[float], share: float) -> float:
    """Return the standard deviation of means of groups of worlds, each with a *share* of all worlds; NaN for one group.

    Groups that overlap on a circle deviate less from the mean over all worlds than independent ones, by sqrt(1 - share).
    """
    return float(np.std(claimed) / np.sqrt(1 - share)) if share < 1 else float("nan")


def _cover(scores: Scores, claims: Sequence[Claim], gaps: np.ndarray) -> float:
    """Return the share of intervals that hold the mean over the other worlds.

    That mean varies too. The deviation from it is divided by sqrt(1 + G / (W - G)), G of W worlds in the claim, so that an
    interval of the right width covers as often as it says, also with few worlds.
    """
    covered = []
    for claim in claims:
        inside = np.isin(scores.seeds, claim.worlds)
        if inside.all():
            return float("nan")
        deviation = claim.difference - gaps[~inside].mean()
        deviation /= np.sqrt(1 + inside.sum() / (~inside).sum())
        covered.append(claim.low <= claim.difference - deviation <= claim.high)
    return float(np.mean(covered))


def compare_rankings(scores: Scores) -> tuple[float, float]:
    """Return Kendall's tau of the ranking: mean over pairs of worlds, and mean over worlds between labels and true ground."""
    between = [kendalltau(a, b).statistic for a, b in combinations(scores.labels, 2)]
    ground = [kendalltau(a, b).statistic for a, b in zip(scores.labels, scores.truth, strict=True)]
    return float(np.mean(between)), float(np.mean(ground))
