"""The sections on effects: per axis a few sentences, the forest plot and the numbers; then how networks differ in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.matrix.plan import Axis
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import METHODS, REPLICATES, UNCHANGED, Effect
from tuning.matrix.report.words import describe_axis
from tuning.matrix.results import MISSING
from tuning.page.html import Block, Image, Section, Table, Text
from tuning.report.tables import format_ends
from tuning.statistics.joint import first_place_changes

MOST_ROWS = 20  # of an axis's table on the page; the CSV file has all
COLUMNS = ("level", "model", "difference in AP", "95 % interval", "p", "verdict")
NOTE = (
    "Differences from the reference **{reference}**; the interval is of each difference on its own, **p** is adjusted by {method} for "
    "its family. **Equivalent**: shown to lie within ± {margin:g} AP. **Undecided**: neither a difference nor equivalence is shown."
)
FOREST = (
    "Effects of {axis}: mean difference from the reference, 95 % interval (thin) and 90 % interval (thick). A filled marker is "
    "a shown difference; the shaded band is the margin of equivalence."
)
UNPAIRED = "Levels of {axis} are measured on different test tiles, so they are not paired: their errors add up."
REPEATS = "Levels of {axis} repeat the same experiment; their spread is a part of the variance, not an effect."


def build_axis_section(context: MatrixContext, axis: Axis, figures: Mapping[str, Path]) -> Section:
    """Build the section of one axis."""
    margin = context.results.plan.margin
    primary = axis.name == context.results.plan.primary
    own = [one for one in context.effects if one.axis == axis]
    blocks: list[Block] = list(map(Text, describe_axis(axis, own, margin)))
    if axis.name in REPLICATES:
        blocks.append(Text(REPEATS.format(axis=axis.name)))
    elif not own:
        blocks.append(
            Text("No effect can be measured: the reference or all other levels lack results.")
        )
    if any(not one.contrast.paired for one in own):
        blocks.append(Text(UNPAIRED.format(axis=axis.name)))
    if gone := _describe_gone(context, axis):
        blocks.append(Text(gone))
    if figure := figures.get(f"effects_{axis.name}"):
        blocks.append(Image(figure, FOREST.format(axis=axis.name)))
    method = METHODS["primary" if primary else "exploratory"]
    note = NOTE.format(reference=axis.reference, method=method, margin=margin)
    if rows := make_effect_rows(own):
        blocks.append(Table(COLUMNS, rows, f"Effects of {axis.name}", note))
    kind = "primary axis" if primary else "exploratory"
    return Section(f"{axis.name}: {axis.label} ({kind})", blocks)


def _describe_gone(context: MatrixContext, axis: Axis) -> str:
    """Name the levels of an axis whose cells have no results."""
    gone = [
        level.text
        for level in axis.levels
        if context.results.at(axis.name, level.text).status == MISSING
    ]
    return f"Without results: {', '.join(gone)} (see the section on cells)." if gone else ""


def make_effect_rows(effects: Sequence[Effect]) -> list[list[Any] | str]:
    """Return an axis's effects as rows; with many, the means over networks alone, and baselines after networks."""
    shown = [one for one in effects if one.kind != "interaction" and one.note != UNCHANGED]
    if len(shown) > MOST_ROWS:
        shown = [one for one in shown if one.kind == "mean"] or shown[:MOST_ROWS]
    return [make_row(one) for one in shown]


def make_row(one: Effect) -> list[Any]:
    """Return one effect as a row: level, model, difference, interval, adjusted p-value and verdict."""
    found = one.contrast
    verdict = f"{one.verdict}{f' ({one.note})' if one.note else ''}"
    return [
        *(one.level, one.model, f"{found.estimate:+z.3f}".replace("-", "\N{MINUS SIGN}")),
        format_ends(found.low, found.high, "z.3f").replace("-", "\N{MINUS SIGN}"),
        format_p(one.p),
        verdict,
    ]


def format_p(p: float) -> str | float:
    """Format a p-value; a tiny one as a bound."""
    return "< 0.001" if p < 0.0005 else p


def build_networks_section(context: MatrixContext, figures: Mapping[str, Path]) -> Section | None:
    """Build the section on how networks differ in effects, and whether the first place changes; None with one network."""
    if len(context.networks) < 2:
        return None
    blocks: list[Block] = [Text(describe_differing(context))]
    blocks += [
        Image(
            figures[f"places_{axis.name}"],
            f"Test AP and place of each network by {axis.name}. The frame is the reference, colours are differences from it; "
            "an arrow marks a better or worse place than there.",
        )
        for axis in context.results.plan.axes
        if f"places_{axis.name}" in figures
    ]
    if places := make_place_rows(context):
        blocks.append(
            Table(
                [
                    "axis",
                    "level",
                    "first place",
                    "at the reference",
                    "probability of another first",
                ],
                places,
                "Does the best network depend on the level?",
                "Means over seeds say who is first. The probability counts joint draws over blocks and seeds in which the best network "
                "at the level is not the best at the reference; it is high too where the best two can hardly be told apart.",
            )
        )
    rows = [make_row(one) for one in _pick_differing(context.effects)]
    if rows:
        caption = (
            "Differences of differences: how far the effect on one network exceeds that on others"
        )
        columns = ["level", "networks", *COLUMNS[2:-1], "effect on the first"]
        blocks.append(
            Table(
                columns,
                rows,
                caption,
                "The largest by |difference| / error; all are in the CSV file.",
            )
        )
    return Section("Do networks differ in these effects?", blocks)


def describe_differing(context: MatrixContext) -> str:
    """Say in a sentence how many effects differ between networks."""
    asked = [one for one in context.effects if one.kind == "interaction"]
    found = [one for one in asked if one.decided]
    if not asked:
        return "No level was measured with two networks or more."
    if not found:
        return f"No effect is shown to differ between networks ({len(asked)} differences of differences)."
    largest = max(found, key=lambda one: abs(one.contrast.estimate))
    size = f"{abs(largest.contrast.estimate):.3f}"
    first, _, other = largest.model.partition(" minus ")
    side = "below" if largest.contrast.estimate < 0 else "above"
    return (
        f"{len(found)} of {len(asked)} differences of differences are shown; the largest: the effect of "
        f"{largest.axis.name}={largest.level} on {first} is {size} AP {side} that on {other}."
    )


def _pick_differing(effects: Sequence[Effect]) -> list[Effect]:
    asked = [one for one in effects if one.kind == "interaction"]
    strongest = sorted(asked, key=lambda one: -abs(one.contrast.estimate) / one.contrast.error)
    return strongest[: MOST_ROWS // 2]


def make_place_rows(context: MatrixContext) -> list[list[Any]]:
    """Return per level which network is first, and how likely another is first than at the reference."""
    rows = []
    for axis in context.results.plan.axes:
        reference = context.results.at(axis.name, axis.reference)
        for level in axis.levels:
            cell = context.results.at(axis.name, level.text)
            keys = [
                key for key in context.networks if key in cell.by_key and key in reference.by_key
            ]
            if cell is reference or len(keys) < 2:
                continue
            first, before = (
                max((one.by_key[key] for key in keys), key=lambda model: model.mean).title
                for one in (cell, reference)
            )
            names = ([one.name(key) for key in keys] for one in (reference, cell))
            chance = first_place_changes(context.drawn, *names)
            rows.append([axis.name, level.text, first, before, f"{100 * chance:.0f} %"])
    return rows
