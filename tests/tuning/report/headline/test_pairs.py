"""The headline says in one sentence what the verdicts say, no more and no less."""

from itertools import combinations, product

import pytest

from models import list_models, paper_name
from tests.tuning.report.sections.test_verdict import family_of, pair_of
from tuning.baselines.baselines import BASELINES
from tuning.report.headline.names import WORDS, be, join_names, name_models
from tuning.report.headline.pairs import (
    MOST_CLAUSES,
    describe_pairs,
    find_groups,
    make_pair_table,
)
from tuning.statistics.family import TOO_FEW, Comparison, Verdict

TITLES = ["VanillaUNet", "GradientBoosting", "TemporalUNet_ConvLSTM"]
U, T, L = "the U-Net", "boosted trees", "the ConvLSTM U-Net"
OPEN = f"the test cannot tell {T} and {L} apart"


def compare(verdicts: dict[str, Verdict], note: str = "") -> list[Comparison]:
    """Return pairs of single letters from ``{"AB": "better", …}``; A has the highest mean, then B, and so on."""
    return [pair_of(a, b, 0.01, verdict, note) for (a, b), verdict in verdicts.items()]


def describe(verdicts: dict[str, Verdict], note: str = "") -> str:
    names = sorted(set("".join(verdicts)))
    return describe_pairs(compare(verdicts, note), names, 0.02, "on this area")


def describe_three(first: Verdict, second: Verdict, third: Verdict) -> str:
    """Describe three models, from verdicts on U against T, U against L and T against L."""
    keys = zip(combinations(TITLES, 2), (first, second, third), strict=True)
    pairs = [pair_of(a, b, 0.01, verdict) for (a, b), verdict in keys]
    return describe_pairs(pairs, TITLES, 0.02, "on this area")


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (
            ("equivalent", "better", "better"),
            f"{U} and {T} are equivalent within 0.02 AP on this area; {L} is worse",
        ),
        (
            ("undecided", "better", "better"),
            f"the test cannot tell {U} and {T} apart on this area; {L} is worse",
        ),
        (
            ("better", "better", "undecided"),
            f"{U} is better than {T} and {L} on this area; the test cannot tell {T} and {L} apart",
        ),
        (
            ("better", "better", "better"),
            f"{U} is better than {T} and {L} on this area; {T} are better than {L}",
        ),
        (("undecided",) * 3, f"the test cannot tell {U}, {T} and {L} apart on this area"),
        (("equivalent",) * 3, f"{U}, {T} and {L} are equivalent within 0.02 AP on this area"),
        (
            ("undecided", "better", "undecided"),
            f"{U} is better than {L} on this area; the test cannot tell {U} and {T} apart; {OPEN}",
        ),
        (
            ("equivalent", "better", "undecided"),
            f"{U} is better than {L} on this area; {U} and {T} are equivalent within 0.02 AP; {OPEN}",
        ),
    ],
)
def test_three_models_are_described_in_words(
    verdicts: tuple[Verdict, Verdict, Verdict], sentence: str
) -> None:
    assert describe_three(*verdicts) == sentence


def read_relations(sentence: str, names: str) -> dict[str, str]:
    """Return the verdict on every pair that a sentence states, by pairs such as ``AB``; fail where it contradicts itself."""
    found: dict[str, str] = {}

    def state(a: str, b: str, verdict: str) -> None:
        assert found.setdefault(a + b, verdict) == verdict

    clauses = sentence.replace(" on this area", "").split("; ")
    for place, clause in enumerate(clauses):
        words = clause.replace(",", "").split()
        named = [word for word in words if word in names]
        if " better than " in clause:
            cut = words.index("better")
            winners, losers = (
                [w for w in part if w in names] for part in (words[:cut], words[cut:])
            )
        elif clause.endswith(" worse"):
            losers = named
            winners = [w for w in clauses[place - 1].replace(",", "").split() if w in names]
        else:
            verdict = "equivalent" if "equivalent" in clause else "undecided"
            for a, b in combinations(sorted(named), 2):
                state(a, b, verdict)
            continue
        for winner, loser in product(winners, losers):
            state(winner, loser, "better")
    return found


VERDICTS: tuple[Verdict, ...] = ("better", "equivalent", "undecided")


def test_every_mixture_of_verdicts_is_stated_whole_or_counted() -> None:
    pairs = ["".join(pair) for pair in combinations("ABCD", 2)]
    counted = 0
    for mixture in product(VERDICTS, repeat=len(pairs)):
        verdicts = dict(zip(pairs, mixture, strict=True))
        sentence = describe(verdicts)
        if sentence.startswith("no model is shown to be better than"):
            counted += 1
            unbeaten = {
                n
                for n in "ABCD"
                if not any(v == "better" and k[1] == n for k, v in verdicts.items())
            }
            named = sentence.partition(" on this area")[0].removeprefix(
                "no model is shown to be better than "
            )
            assert set(named) & set("ABCD") == unbeaten
            assert f"of {len(pairs)} pairs" in sentence
            for verdict, what in zip(
                VERDICTS, ("better or worse", "equivalent", "undecided"), strict=True
            ):
                number = mixture.count(verdict)
                assert (f"{number} {'is' if number == 1 else 'are'} {what}" in sentence) == (
                    number > 0
                )
        else:
            assert read_relations(sentence, "ABCD") == verdicts
            assert len(sentence.split("; ")) <= MOST_CLAUSES
    assert 0 < counted < 3 ** len(pairs)


def test_a_worse_first_model_is_read_as_the_second_being_better() -> None:
    assert describe({"AB": "worse"}) == "B is better than A on this area"


def test_a_shared_reason_for_no_verdict_is_named() -> None:
    assert describe({"AB": "undecided"}, TOO_FEW).endswith(
        "A and B apart on this area: too few seeds, 3 are needed"
    )
    mixed = [pair_of("A", "B", 0.1, "undecided", TOO_FEW), pair_of("A", "C", 0.1, "undecided")]
    mixed.append(pair_of("B", "C", 0.1, "undecided"))
    assert "too few" not in describe_pairs(mixed, "ABC", 0.02, "on this area")


def test_a_family_without_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a comparison, but the family has none"):
        describe_pairs([], ["A"], 0.02, "on this area")


def test_groups_cover_every_edge_and_state_no_other() -> None:
    edges = [("A", "B"), ("B", "C"), ("A", "C"), ("C", "D")]
    assert find_groups(edges, "ABCD") == [["A", "B", "C"], ["C", "D"]]
    assert find_groups([], "ABCD") == []


def test_the_table_has_the_higher_mean_first_and_says_what_is_adjusted() -> None:
    win, open_pair = (
        pair_of("C", "B", -0.0214, "worse"),
        pair_of("D", "A", 0.09, "undecided", TOO_FEW),
    )
    same = pair_of("A", "B", 0.002, "equivalent")
    table = make_pair_table(family_of(open_pair, same, win), "on this area")
    assert table.cells == [
        ["B \N{MINUS SIGN} C", "0.021", "0.008 to 0.033", "0.004", "better"],
        ["A \N{MINUS SIGN} B", "0.002", "-0.010 to 0.015", "0.004", "equivalent"],
        ["D \N{MINUS SIGN} A", "0.090", "0.078 to 0.103", "0.004", "undecided (too few seeds)"],
    ]
    assert "simultaneous over all 3 pairs, p-values adjusted for them" in table.caption
    assert "35 blocks of test tiles and over seeds" in table.caption
    short = make_pair_table(family_of(open_pair, same, win), "on this area", 1, "the ranking")
    assert len(short.rows) == 1
    assert short.note.endswith("2 more pairs are in the ranking.")


def test_names_fit_into_sentences() -> None:
    assert join_names(["A"]) == "A"
    assert join_names(["A", "B", "C"]) == "A, B and C"
    assert name_models(["VanillaUNet", "own_net"], "or") == "the U-Net or own_net"
    assert be(["GradientBoosting"]) == be(["A", "B"]) == "are"
    assert be(["VanillaUNet"]) == "is"


def test_every_model_of_the_project_has_a_name_in_words() -> None:
    titles = [*map(paper_name, list_models()), *(one.title for one in BASELINES.values())]
    assert sorted(title for title in titles if title not in WORDS) == ["CuSum", "FC-Siam-diff"]
