"""The verdict's sentences say what is decided, what is not, and why."""

from math import inf, nan

import pytest

from tuning.report.sections.verdict import (
    describe_needs,
    describe_power,
    describe_verdict,
    join_names,
)
from tuning.statistics.family import TOO_FEW, Comparison, Family, Verdict
from tuning.statistics.power import Needs


def pair_of(a: str, b: str, difference: float, verdict: Verdict, note: str = "") -> Comparison:
    low, high = difference - 0.012, difference + 0.013
    needs = Needs(0.005, 0.016, 7.2, inf)
    return Comparison(
        a, b, difference, low, high, low, high, 0.004, (5, 5), verdict, note, 7.0, needs
    )


def family_of(*pairs: Comparison) -> Family:
    return Family(pairs, {}, 0.02, 35, 0.2, 2.0)


def test_a_verdict_says_what_is_decided_and_what_is_not() -> None:
    win = pair_of("C", "B", -0.0214, "worse")
    same, open_pair = pair_of("A", "B", 0.002, "equivalent"), pair_of("D", "A", -0.03, "undecided")
    lone = pair_of("A", "E", 0.06, "undecided", TOO_FEW)
    assert list(describe_verdict(family_of(open_pair, lone, same, win))) == [
        "B is better than C by 0.021 AP (95 % interval 0.008 to 0.033, p = 0.004).",
        "Equivalent within ± 0.02 AP: A and B.",
        "Undecided: A against D (difference 0.030, 0.017 to 0.042); A against E (too few seeds).",
    ]
    assert next(describe_verdict(family_of(win, same), "F1")).startswith(
        "B is better than C by 0.021 F1"
    )
    with pytest.raises(ValueError, match="needs a comparison, but the family has none"):
        next(describe_verdict(family_of()))


def test_many_pairs_are_summarised_by_the_better_model() -> None:
    wins = [
        pair_of("T", name, gap, "better") for name, gap in (("A", 0.1), ("B", 0.05), ("C", 0.2))
    ]
    rest = [pair_of(a, b, 0.01, "undecided") for a, b in ("AB", "AC", "BC")]
    assert list(describe_verdict(family_of(*wins, *rest))) == [
        "T is better than A, B and C by 0.050 to 0.200 AP.",
        "Undecided: A against B; A against C; B against C.",
    ]


def test_nothing_decided_is_said_in_one_sentence() -> None:
    pairs = pair_of("A", "B", 0.01, "undecided"), pair_of("A", "C", -0.01, "undecided")
    largest = pair_of("C", "B", 0.08, "undecided")
    (text,) = describe_verdict(family_of(*pairs, largest))
    assert text == (
        "Undecided: this test cannot tell A, B and C apart; the largest difference, C over B, is 0.080 AP with the 95 % "
        "interval 0.068 to 0.093."
    )


def test_what_would_decide_is_named_for_an_undecided_pair_alone() -> None:
    win, open_pair = pair_of("C", "B", -0.0214, "worse"), pair_of("D", "A", -0.03, "undecided")
    found = "A true difference of 0.016 AP or more would be found with 80 % power."
    assert describe_power(family_of(win)) == found
    assert describe_power(family_of(win, open_pair)) == (
        f"{found} To decide A against D at the observed 0.030 takes about 8 seeds."
    )
    assert describe_power(Family((), {}, 0.02, 35, nan, 1.0)) == ""


def test_a_difference_out_of_reach_says_so() -> None:
    pair = pair_of("D", "A", 0.001, "undecided")
    far = type(pair)(**(vars(pair) | {"needs": Needs(0.1, 0.4, inf, 1e5)}))
    assert describe_needs(far).endswith("neither more seeds nor more blocks alone would do.")


@pytest.mark.parametrize(("names", "text"), [("A", "A"), ("AB", "A and B"), ("ABC", "A, B and C")])
def test_names_are_joined_as_in_a_sentence(names: str, text: str) -> None:
    assert join_names(list(names)) == text
