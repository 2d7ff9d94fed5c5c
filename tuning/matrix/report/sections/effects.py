"""The section of an axis: its effects in a few sentences, the forest plot, the heat map of networks, and the numbers."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from tuning.matrix.cell_results import MISSING
from tuning.matrix.plan import Axis
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import METHODS, REPLICATES, UNCHANGED, Effect
from tuning.matrix.report.words import describe_axis, format_signed
from tuning.page.html import Block, Image, Section, Table, Text
from tuning.report.tables import format_ends

MOST_ROWS = 20  # of an axis's table on the page; the CSV file has all
COLUMNS = ("effect on", "difference in AP", "verdict", "95 % interval", "p")
NOTE = (
    "Differences from **{reference}**. The 95 % interval is of each difference by itself, over blocks of test tiles and over seeds; **p** is adjusted for its "
    "family ({methods}). "
    "**Equivalent**: shown to lie within ± {margin:g} AP. **Undecided**: neither a difference nor equivalence is shown."
)
FOREST = (
    "Effects of {axis}: mean difference from the reference, 95 % interval (thin) and 90 % interval (thick), each by itself. A filled marker is "
    "a shown difference; the shaded band is the margin of equivalence."
)
PLACES = (
    "Test AP and place of each network by {axis}. The frame is the reference, colours are differences from it; an arrow marks a "
    "better or worse place than there."
)
UNPAIRED = "Levels of {axis} are measured on different test tiles, so they are not paired: their errors add up."
REPEATS = "Levels of {axis} repeat the same experiment; their spread is a part of the variance, not an effect."
NOTHING = "No effect can be measured: the reference or all other levels lack results."


def build_axis_section(context: MatrixContext, axis: Axis, figures: Mapping[str, Path]) -> Section:
    """Build the section of one axis."""
    plan = context.results.plan
    own = [one for one in context.effects if one.axis == axis]
    blocks: list[Block] = [Text(sentence) for sentence in _describe(context, axis, own)]
    if figure := figures.get(f"effects_{axis.name}"):
        blocks.append(Image(figure, FOREST.format(axis=axis.name)))
    if rows := make_effect_rows(own):
        families = dict.fromkeys(one.family for one in own if one.family)
        methods = ", ".join(f"{METHODS[family]}: {family}" for family in families)
        note = NOTE.format(reference=axis.reference, methods=methods, margin=plan.margin)
        own_rows = all(not isinstance(row, str) for row in rows)  # of one model
        columns = ("level", *COLUMNS[1:]) if own_rows else COLUMNS
        blocks.append(Table(columns, rows, f"Effects of {axis.name}", note))
    if figure := figures.get(f"places_{axis.name}"):
        blocks.append(Image(figure, PLACES.format(axis=axis.name)))
    title = f"{axis.label[:1].upper()}{axis.label[1:]}"
    return Section(f"{title} (primary axis)" if axis.name == plan.primary else title, blocks)


def _describe(context: MatrixContext, axis: Axis, own: Sequence[Effect]) -> list[str]:
    """Return the sentences of an axis."""
    sentences = describe_axis(axis, own, context.results.plan.margin)
    if axis.name in REPLICATES:
        sentences += [REPEATS.format(axis=axis.name), *describe_repeats(context, axis)]
    elif not own:
        sentences.append(NOTHING)
    if any(not one.contrast.paired for one in own):
        sentences.append(UNPAIRED.format(axis=axis.name))
    gone = [
        level.text
        for level in axis.levels
        if context.results.at(axis.name, level.text).status == MISSING
    ]
    if gone:
        sentences.append(f"Without results: {', '.join(gone)} (see the section on cells).")
    return sentences


def describe_repeats(context: MatrixContext, axis: Axis) -> list[str]:
    """Say how far levels that repeat an experiment move each network, one sentence each."""
    found = {
        title: part
        for title, parts in context.parts.items()
        for part in parts
        if part.source == REPLICATES[axis.name] and not isnan(part.spread)
    }
    return [
        f"{title}: {part.note}, AP has a standard deviation of {part.spread:.3f} beyond that of the training's seeds."
        for title, part in found.items()
    ]


def make_effect_rows(effects: Sequence[Effect]) -> list[list[Any] | str]:
    """Return an axis's effects as rows under their levels; with many, the means over networks alone."""
    shown = [one for one in effects if one.kind != "interaction" and one.note != UNCHANGED]
    if len(shown) > MOST_ROWS:
        shown = [one for one in shown if one.kind == "mean"] or shown[:MOST_ROWS]
    if len({one.model for one in shown}) == 1:
        return [make_row(one, f"{one.axis.name}={one.level}") for one in shown]
    rows: list[list[Any] | str] = []
    for level in dict.fromkeys(one.level for one in shown):
        rows.append(f"{shown[0].axis.name}={level}")
        rows += [make_row(one, one.model) for one in shown if one.level == level]
    return rows


def make_row(one: Effect, name: str) -> list[Any]:
    """Return an effect as a row: its name, difference, verdict, interval and adjusted p-value."""
    found = one.contrast
    return [
        *(name, format_signed(found.estimate)),
        f"{one.verdict}{f' ({one.note})' if one.note else ''}",
        format_ends(found.low, found.high, "z.3f").replace("-", "\N{MINUS SIGN}"),
        one.p,
    ]
