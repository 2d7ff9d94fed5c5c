"""The section on how networks differ in effects: differences of differences, and whether the first place changes."""

from collections.abc import Sequence
from typing import Any

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import Effect
from tuning.matrix.report.sections.effects import COLUMNS, make_row
from tuning.matrix.report.tables import EFFECTS_FILE
from tuning.page.html import Block, Section, Table, Text
from tuning.statistics.joint import first_place_changes

MOST_DIFFERING = 10  # on the page
MOST_PLACES = 30
PLACE_COLUMNS = ("level", "first place", "at the reference", "probability of another first")
PLACE_NOTE = (
    "Means over seeds say who is first. The probability counts joint draws over blocks and seeds in which the best network at the "
    "level is not the best at the reference; it is high too where the best two can hardly be told apart."
)
CAPTION = "Differences of differences: how far the effect on one network exceeds that on others"


def build_networks_section(context: MatrixContext) -> Section | None:
    """Build the section on how networks differ; None with one network."""
    if len(context.networks) < 2:
        return None
    blocks: list[Block] = [Text(describe_differing(context.effects))]
    if places := make_place_rows(context):
        caption = "Does the best network depend on the level?"
        blocks.append(Table(PLACE_COLUMNS, places[:MOST_PLACES], caption, PLACE_NOTE))
    rows = [
        make_row(one, f"{one.axis.name}={one.level}, {one.model}")
        for one in _pick_largest(context.effects)
    ]
    if rows:
        note = f"The {len(rows)} that are largest beside their errors; `{EFFECTS_FILE}` has all."
        blocks.append(Table(["level and networks", *COLUMNS[1:]], rows, CAPTION, note))
    return Section("Do networks differ in these effects?", blocks)


def describe_differing(effects: Sequence[Effect]) -> str:
    """Say in a sentence how many effects differ between networks, and which differs most."""
    asked = [one for one in effects if one.kind == "interaction"]
    found = [one for one in asked if one.decided]
    if not asked:
        return "No level was measured with two networks or more."
    if not found:
        return f"No effect is shown to differ between networks ({len(asked)} differences of differences)."
    largest = max(found, key=lambda one: abs(one.contrast.estimate))
    first, _, other = largest.model.partition(" minus ")
    side = "below" if largest.contrast.estimate < 0 else "above"
    return (
        f"{len(found)} of {len(asked)} differences of differences are shown. The largest: the effect of "
        f"{largest.axis.name}={largest.level} on {first} is {abs(largest.contrast.estimate):.3f} AP {side} that on {other}."
    )


def _pick_largest(effects: Sequence[Effect]) -> list[Effect]:
    asked = [one for one in effects if one.kind == "interaction" and one.contrast.error > 0]
    asked.sort(key=lambda one: -abs(one.contrast.estimate) / one.contrast.error)
    return asked[:MOST_DIFFERING]


def make_place_rows(context: MatrixContext) -> list[list[Any]]:
    """Return per level which network is first, and how likely another is first than at the reference."""
    results, rows = context.results, []
    for axis in results.plan.axes:
        reference = results.at(axis.name, axis.reference)
        for level in axis.levels:
            cell = results.at(axis.name, level.text)
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
            rows.append([f"{axis.name}={level.text}", first, before, f"{100 * chance:.0f} %"])
    return rows
