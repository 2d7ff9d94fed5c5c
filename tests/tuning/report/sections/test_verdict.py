"""The sentences below the headline say what a comparison rests on, and what would decide more."""

from math import inf, nan

from tuning.report.sections.verdict import (
    describe_needs,
    describe_power,
)
from tuning.statistics.family import Comparison, Family, Verdict
from tuning.statistics.power import Needs


def pair_of(a: str, b: str, difference: float, verdict: Verdict, note: str = "") -> Comparison:
    low, high = difference - 0.012, difference + 0.013
    needs = Needs(0.005, 0.016, 7.2, inf)
    return Comparison(
        a, b, difference, low, high, low, high, 0.004, (5, 5), verdict, note, 7.0, needs
    )


def family_of(*pairs: Comparison) -> Family:
    return Family(pairs, {}, 0.02, 35, 0.2, 2.0)


def test_what_would_decide_is_named_for_an_undecided_pair_alone() -> None:
    win, open_pair = pair_of("C", "B", -0.0214, "worse"), pair_of("D", "A", -0.03, "undecided")
    found = "A true difference of 0.016 AP would be found with 80 % power."
    assert describe_power(family_of(win)) == found
    assert describe_power(family_of(win, open_pair)) == (
        f"{found} To decide A against D at the observed 0.030 takes about 8 seeds."
    )
    assert describe_power(Family((), {}, 0.02, 35, nan, 1.0)) == ""


def test_a_difference_out_of_reach_says_so() -> None:
    pair = pair_of("D", "A", 0.001, "undecided")
    far = type(pair)(**(vars(pair) | {"needs": Needs(0.1, 0.4, inf, 1e5)}))
    assert describe_needs(far).endswith("neither more seeds nor more blocks alone would do.")
