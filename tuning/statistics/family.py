"""Verdicts on pairs of models, and the family that they were judged in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tuning.statistics.blocks import MIN_BLOCKS
from tuning.statistics.bootstrap import LEVEL
from tuning.statistics.power import Needs

MARGIN = 0.02  # difference in average precision below which two models count as equivalent
MIN_SEEDS = 3  # two seeds give one deviation: too little to estimate a standard deviation
FEW_BLOCKS = 10  # a difference that rests on fewer is said to
TOO_FEW = "too few seeds"
FEW_UNITS = f"fewer than {MIN_BLOCKS} spatial blocks of test tiles"
ONE_BLOCK = "all test landslides lie in one spatial block"
Verdict = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """Model *a* against model *b*.

    Attributes:
        a, b: Names.
        difference: Mean score of *a* minus that of *b*.
        low, high: 95 % interval of it, simultaneous over the family.
        low90, high90: 90 % interval, simultaneous too, which decides about equivalence.
        p: Two-sided p-value, adjusted for the family; below 0.05 just where the 95 % interval excludes 0.
        seeds: Number of seeds of *a* and of *b*.
        verdict: Of *a*.
        note: Why the pair is undecided in any case: a model that is not deterministic has fewer than 3 seeds, or there are
            too few blocks, or all landslides lie in one.
        effective_blocks: On how many blocks the difference rests.
        needs: What would decide the observed difference.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    low90: float
    high90: float
    p: float
    seeds: tuple[int, int]
    verdict: Verdict
    note: str
    effective_blocks: float
    needs: Needs

    @property
    def decided(self) -> bool:
        """Whether one of the two is better."""
        return self.verdict in ("better", "worse")


@dataclass(frozen=True)
class Family:
    """All pairs of some models, compared together.

    Attributes:
        pairs: All unordered pairs in the order of the models.
        places: First and last possible place of each model.
        margin: Of equivalence.
        blocks: Number of spatial blocks.
        moran: Moran's I at lag 1 of the tiles' influences on the differences, median over pairs.
        range_tiles: Distance in tiles from which the differences' tile effects count as uncorrelated.
    """

    pairs: tuple[Comparison, ...]
    places: dict[str, tuple[int, int]]
    margin: float
    blocks: int
    moran: float
    range_tiles: float

    @property
    def detectable(self) -> float:
        """Smallest difference that is found with 80 % power between any two of the models; NaN without pairs."""
        return max((pair.needs.detectable for pair in self.pairs), default=float("nan"))


def decide(difference: float, p: float, *, within: bool) -> Verdict:
    """Return the verdict on a difference.

    Args:
        difference: Observed difference.
        p: Two-sided p-value, adjusted for the family.
        within: Whether the difference is shown to lie within the margin.
    """
    if p < 1 - LEVEL:
        return "better" if difference > 0 else "worse"
    return "equivalent" if within else "undecided"


def find_places(names: Sequence[str], pairs: Sequence[Comparison]) -> dict[str, tuple[int, int]]:
    """Return the first and last place that each model may have, given what is better than what."""
    winners = [pair.a if pair.verdict == "better" else pair.b for pair in pairs if pair.decided]
    losers = [pair.b if pair.verdict == "better" else pair.a for pair in pairs if pair.decided]
    return {name: (1 + losers.count(name), len(names) - winners.count(name)) for name in names}
