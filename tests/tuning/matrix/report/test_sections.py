"""Tests of `tuning.matrix.report.sections` and `page` on a planted matrix."""

from dataclasses import replace

import pytest

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import MEAN
from tuning.matrix.report.page import build_page, describe_missing
from tuning.matrix.report.sections.basis import (
    build_basis_section,
    describe_family,
    make_part_rows,
    make_power_rows,
)
from tuning.matrix.report.sections.cells import (
    build_cells_section,
    build_cost_section,
    build_provenance_section,
)
from tuning.matrix.report.sections.effects import build_axis_section, make_effect_rows
from tuning.matrix.report.sections.networks import (
    build_networks_section,
    describe_differing,
    make_place_rows,
)
from tuning.page.html import Section, Table, Text


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def prose(section: Section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Text))


def test_effects_stand_under_their_levels_without_what_does_not_change(
    context: MatrixContext,
) -> None:
    train = [one for one in context.effects if one.axis.name == "train"]
    rows = make_effect_rows(train)
    assert [row if isinstance(row, str) else row[0] for row in rows] == [
        *("train=0.25", "VanillaUNet", "UTAE", MEAN),
        *("train=0.5", "VanillaUNet", "UTAE", MEAN),
    ]
    assert rows[1][1].startswith("\N{MINUS SIGN}0.")
    many = [replace(one, level=f"{n}") for n in range(9) for one in train if one.level == "0.25"]
    assert [row[0] for row in make_effect_rows(many)] == [f"train={n}" for n in range(9)]


def test_an_axis_names_its_levels_without_results(context: MatrixContext) -> None:
    section = build_axis_section(context, context.results.plan.axis("channels"), {})
    assert section.title == "Channels of the input (primary axis)"
    assert "Without results: VH (see the section on cells)." in prose(section)
    assert "Holm: primary, FDR: exploratory" in tables(section)[0].note


def test_an_axis_without_any_result_says_so(context: MatrixContext) -> None:
    empty = replace(context, effects=())
    section = build_axis_section(empty, context.results.plan.axis("train"), {})
    assert "No effect can be measured: the reference or all other levels lack" in prose(section)


def test_the_first_place_of_each_level_is_told_with_the_chance_of_another(
    context: MatrixContext,
) -> None:
    rows = make_place_rows(context)
    assert [row[0] for row in rows] == ["channels=VV", "train=0.25", "train=0.5"]
    for _, first, before, chance in rows:
        assert {first, before} <= {"VanillaUNet", "UTAE"}
        assert 0 <= float(chance.removesuffix(" %")) <= 100
    vv = next(row for row in rows if row[0] == "channels=VV")
    assert vv[1] == "UTAE"  # which loses 0.3 logits there, VanillaUNet 1.2
    assert float(vv[3].removesuffix(" %")) >= 30


def test_networks_are_compared_only_if_there_are_two(context: MatrixContext) -> None:
    assert build_networks_section(context) is not None
    alone = replace(
        context.results,
        cells=tuple(
            replace(cell, models=tuple(one for one in cell.models if one.key != "utae"))
            for cell in context.results.cells
        ),
    )
    assert build_networks_section(replace(context, results=alone)) is None
    assert describe_differing(()) == "No level was measured with two networks or more."
    assert "of 3 differences of differences are shown. The largest: the effect of channels=VV" in (
        describe_differing(context.effects)
    )


def test_one_sentence_states_the_families(context: MatrixContext) -> None:
    text = describe_family(context)
    own = {
        name: sum(one.family == name for one in context.effects)
        for name in ("primary", "exploratory")
    }
    assert own == {"primary": 3, "exploratory": 9}
    assert text.startswith("Confirmatory are 3 effects of the axis channels, declared before")
    assert ". Exploratory are 9 effects of other axes, of baselines, and of differences" in text
    first = replace(
        context, effects=tuple(one for one in context.effects if one.family == "primary")
    )
    assert describe_family(first).endswith(". Nothing else was tested.")
    assert describe_family(replace(context, effects=())).startswith(
        "No effect of the primary axis channels could be tested"
    )


def test_power_has_a_row_per_axis_and_variance_one_per_source(context: MatrixContext) -> None:
    rows = make_power_rows(context)
    assert [row[0] for row in rows] == ["channels", "train"]
    assert rows[1][3] is None  # no baseline changes with the train share
    power = tables(build_basis_section(context))[0]
    assert "mean of networks" in power.columns
    assert "one baseline" not in power.columns  # none of them was tested
    assert [row[-1] for row in rows] == [3, 2]  # a cell of train lacks a seed
    assert [row[0] for row in make_part_rows(context)] == [
        "seed",
        "search",
        "block",
        "fold",
        "world",
    ]


def test_cells_name_what_is_missing_first(context: MatrixContext) -> None:
    missing, scores = tables(build_cells_section(context))
    assert [row[:2] for row in missing.rows] == [
        ["channels=VH", "missing"],
        ["train=0.5", "partial"],
    ]
    assert [row[0] for row in scores.rows] == [
        *("reference", "channels=VV", "channels=VH", "train=0.25", "train=0.5")
    ]
    whole = replace(
        context.results, cells=tuple(replace(cell, problem="") for cell in context.results.cells)
    )
    section = build_cells_section(replace(context, results=whole))
    assert prose(section) == "No cell is missing, and none lacks a run."
    assert describe_missing(whole) == ""


def test_cost_adds_up_and_tells_dropped_seeds(context: MatrixContext) -> None:
    section = build_cost_section(context)
    rows = tables(section)[0].rows
    assert rows[-1][0] == "all cells"
    assert rows[-1][2] == sum(row[2] for row in rows[:-1]) == 4 * 7 - 1
    assert "27 trainings took 0.5 core hours; trainings that cells share count once." in prose(
        section
    )
    plan = replace(context.results.plan, dropped_seeds=2, budget_hours=1.5)
    cut = replace(context, results=replace(context.results, plan=plan))
    assert "2 seeds per cell were left out to keep within 1.5 hours." in prose(
        build_cost_section(cut)
    )


def test_provenance_links_each_run(context: MatrixContext) -> None:
    section = build_provenance_section(context)
    facts = {row[0]: row[1] for row in tables(section)[0].rows}
    assert facts["axis channels"] == "s1, VV, VH (reference s1)"
    assert facts["data"] == "synthetic"
    assert "campaign" not in facts  # every cell has its own
    assert prose(section).count("(http://host/#/experiments/") == 4
    assert prose(section).count("?workflowType=machine_learning)") == 4


def test_a_page_has_the_primary_axis_first(context: MatrixContext) -> None:
    plan = replace(context.results.plan, primary="train")
    page = build_page(replace(context, results=replace(context.results, plan=plan)), {})
    assert page.sections[0].title == "Share of the train tiles (primary axis)"
    assert page.title == "Experiment matrix: planted"
    assert dict(page.facts)["cells"] == "3 of 5 complete"
    assert page.synthetic


@pytest.mark.parametrize(("gone", "text"), [(2, "2 have no results"), (1, "1 has no results")])
def test_missing_cells_are_counted_in_plain_english(
    context: MatrixContext, gone: int, text: str
) -> None:
    cells = tuple(
        replace(cell, status="missing" if n < gone else "complete", problem="x" if n < gone else "")
        for n, cell in enumerate(context.results.cells)
    )
    sentence = describe_missing(replace(context.results, cells=cells))
    assert sentence.startswith(f"This matrix is partial: of 5 cells {text} (reference")
