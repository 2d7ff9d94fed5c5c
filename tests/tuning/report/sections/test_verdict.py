"""The verdict's sentences say what is decided, what is not, and why."""

from math import inf, nan

import pytest

from tuning.report.sections.verdict import describe_needs, describe_power, describe_verdict
from tuning.statistics.family import TOO_FEW, Comparison, Family, Verdict
from tuning.statistics.power import Needs


def pair_of(a: str, b: str, difference: float, verdict: Verdict, note: str = "") -> Comparison:
    low, high = difference - 0.012, difference + 0.013
    needs = Needs(0.005, 0.016, 7.2, inf)
    return Comparison(
        a, b, difference, low, high, low, high, 0.004, 1, (5, 5), verdict, note, 7.0, needs
    )


def family_of(*pairs: Comparison) -> Family:
    return Family(pairs, {}, 0.02, 35, 0.2, 2.0)


def test_a_verdict_says_what_is_decided_and_what_is_not() -> None:
    win = pair_of("C", "B", -0.0214, "worse")
    same, open_pair = pair_of("A", "B", 0.002, "equivalent"), pair_of("D", "A", -0.03, "undecided")
    lone = pair_of("A", "E", 0.06, "undecided", TOO_FEW)
    assert describe_verdict(family_of(open_pair, lone, same, win)) == (
        "B is better than C by 0.021 AP (95 % interval 0.008 to 0.033, p = 0.004); "
        "A and B are equivalent (difference 0.002, 90 % interval within ± 0.02); "
        "A against D is undecided (difference 0.030, 0.017 to 0.042); "
        "A against E is undecided (too few seeds)."
    )
    assert describe_verdict(family_of(win, same), "F1", ["B", "C"]).startswith("B is better")
    with pytest.raises(ValueError, match=r"needs a comparison, but got none \(models=\['Z'\]\)"):
        describe_verdict(family_of(win), models=["Z"])


def test_what_would_decide_is_named_for_undecided_pairs_alone() -> None:
    win, open_pair = pair_of("C", "B", -0.0214, "worse"), pair_of("D", "A", -0.03, "undecided")
    assert describe_power(family_of(win, open_pair)) == (
        "With these tiles and seeds, a difference of 0.016 AP between any two of the compared models is found with 80 % "
        "power. To decide D against A at the observed 0.030, about 8 seeds would be needed."
    )
    assert describe_power(Family((), {}, 0.02, 35, nan, 1.0)) == ""


def test_a_difference_out_of_reach_says_so() -> None:
    pair = pair_of("D", "A", 0.001, "undecided")
    far = type(pair)(**(vars(pair) | {"needs": Needs(0.1, 0.4, inf, 1e5)}))
    assert describe_needs(far).endswith("neither more seeds nor more blocks alone would do.")
