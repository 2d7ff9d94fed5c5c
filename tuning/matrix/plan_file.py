"""The plan of a matrix, read from a JSON file that somebody else may have written: every value is checked before it is used."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from data.io.safe_json import is_number, is_safe_name, read_json, refused_error, show_value
from tuning.matrix.plan import Axis, Cell, Level, MatrixPlan

MAX_CHARS = 300  # of a text that a page shows
MAX_AXES, MAX_LEVELS, MAX_CELLS, MAX_MODELS = 50, 200, 5000, 200
SEARCHES = ("once", "per-cell")
_REMEDY = "Somebody changed or forged it: restore it, or run the matrix again."
_Part = TypeVar("_Part", Level, Axis, Cell, MatrixPlan)
Check = Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_CHARS and value.isprintable()


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return is_number(value, -1e12, 1e12)


def _is_count(value: object) -> bool:
    return is_number(value, 0, 10_000, whole=True)


def _is_list(most: int, least: int = 0) -> Check:
    return lambda value: isinstance(value, list | tuple) and least <= len(value) <= most


def _are_names(value: object) -> bool:
    return _is_list(MAX_MODELS)(value) and all(map(is_safe_name, value))  # type: ignore[call-overload]


def _are_places(value: object) -> bool:
    pairs = value if isinstance(value, list | tuple) else ()
    return 0 < len(pairs) <= MAX_AXES and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_text, pair))
        for pair in pairs
    )


# What each field must be, in words and as a check.
RULES: Mapping[type, Mapping[str, tuple[str, Check]]] = {
    Level: {
        "text": ("one printable line", _is_text),
        "options": ("an object", lambda value: isinstance(value, Mapping)),
        "value": ("a number or null", lambda value: value is None or _is_finite(value)),
    },
    Axis: {
        "name": ("a safe name", is_safe_name),
        "label": ("one printable line", _is_text),
        "levels": (f"1 to {MAX_LEVELS} levels", _is_list(MAX_LEVELS, 1)),
        "reference": ("the text of a level", _is_text),
        "ordered": ("true or false", _is_flag),
        "same_tiles": ("true or false", _is_flag),
    },
    Cell: {
        "campaign": ("a safe name", is_safe_name),
        "places": ("pairs of axis and level", _are_places),
    },
    MatrixPlan: {
        "name": ("a safe name", is_safe_name),
        "axes": (f"1 to {MAX_AXES} axes", _is_list(MAX_AXES, 1)),
        "cells": (f"1 to {MAX_CELLS} cells", _is_list(MAX_CELLS, 1)),
        "models": (f"at most {MAX_MODELS} safe names", _are_names),
        "baselines": (f"at most {MAX_MODELS} safe names", _are_names),
        "primary": ("the name of an axis", is_safe_name),
        "search": (" or ".join(SEARCHES), lambda value: value in SEARCHES),
        "margin": ("above 0 and at most 1", lambda value: is_number(value, 1e-9, 1)),
        "block_tiles": (
            "a whole number from 1",
            lambda value: is_number(value, 1, 1e6, whole=True),
        ),
        "seeds": (
            "a whole number from 1 to 10,000",
            lambda value: is_number(value, 1, 10_000, whole=True),
        ),
        "dropped_seeds": ("a whole number from 0 to 10,000", _is_count),
        "budget_hours": (
            "a number of hours or null",
            lambda value: value is None or is_number(value, 0, 1e9),
        ),
    },
}


def read_plan(file: Path) -> MatrixPlan:
    """Read a ``matrix.json``.

    Raises:
        ValueError: If it is not what :meth:`tuning.matrix.plan.MatrixPlan.to_json` returns.
        OSError: If it cannot be read.
    """
    return parse_plan(read_json(file), str(file))


def parse_plan(content: Mapping[str, Any], place: str) -> MatrixPlan:
    """Return the plan of a matrix from the content of its file.

    Args:
        content: As :meth:`tuning.matrix.plan.MatrixPlan.to_json` returns it.
        place: Its origin, for messages.

    Raises:
        ValueError: If a field is missing, unknown or of another kind, a name comes twice, or a cell or a reference is of no
            axis and level.
    """
    plan = _make(MatrixPlan, content, place, axes=_make_axis, cells=_make_cell)
    _check_axes(plan, place)
    _check_cells(plan, place)
    return plan


def _make_axis(content: object, place: str) -> Axis:
    return _make(Axis, content, f"an axis of {place}", levels=_make_level)


def _make_level(content: object, place: str) -> Level:
    return _make(Level, content, f"a level of {place}")


def _make_cell(content: object, place: str) -> Cell:
    cell = _make(Cell, content, f"a cell of {place}")
    return Cell(cell.campaign, tuple((axis, level) for axis, level in cell.places))


def _make(
    kind: type[_Part], content: object, place: str, **parts: Callable[[object, str], Any]
) -> _Part:
    """Make one part of a plan after a check of every field; *parts* makes those that are lists of parts."""
    rules = RULES[kind]
    needed = {one.name for one in fields(kind) if one.default is MISSING}
    if not isinstance(content, Mapping) or not needed <= set(content) <= set(rules):
        got = show_value(sorted(map(str, content)) if isinstance(content, Mapping) else content)
        raise refused_error(f"A plan's part must have {', '.join(rules)}", got, place, _REMEDY)
    values = dict(content)
    for name, value in values.items():
        words, check = rules[name]
        if not check(value):
            raise refused_error(f"{name} must be {words}", show_value(value), place, _REMEDY)
        if name in parts:
            values[name] = tuple(parts[name](one, place) for one in value)
        elif isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)


def _check_axes(plan: MatrixPlan, place: str) -> None:
    names = [axis.name for axis in plan.axes]
    if len(set(names)) < len(names) or plan.primary not in names:
        got = f"{names} with the primary axis {plan.primary!r}"
        raise refused_error("Axes must have names of their own", got, place, _REMEDY)
    for axis in plan.axes:
        texts = [level.text for level in axis.levels]
        if len(set(texts)) < len(texts) or axis.reference not in texts:
            got = f"{show_value(texts)} with the reference {show_value(axis.reference)}"
            rule = f"Levels of {axis.name} must come once, the reference among them"
            raise refused_error(rule, got, place, _REMEDY)
        values = [level.value for level in axis.levels]
        known = [value for value in values if value is not None]
        if axis.ordered and (len(known) < len(values) or known != sorted(set(known))):
            rule = f"Values of the ordered axis {axis.name} must ascend"
            raise refused_error(rule, show_value(values), place, _REMEDY)


def _check_cells(plan: MatrixPlan, place: str) -> None:
    campaigns = [cell.campaign for cell in plan.cells]
    if len(set(campaigns)) < len(campaigns):
        raise refused_error("A campaign must be one cell", show_value(campaigns), place, _REMEDY)
    stands = [pair for cell in plan.cells for pair in cell.places]
    needed = [(axis.name, level.text) for axis in plan.axes for level in axis.levels]
    if sorted(stands) != sorted(needed):
        got = show_value(sorted(set(stands).symmetric_difference(needed)) or stands)
        raise refused_error("Each level must have one cell", got, place, _REMEDY)
    at_reference = {(axis.name, axis.reference) for axis in plan.axes}
    if set(plan.reference.places) != at_reference:
        got = show_value(plan.reference.places)
        rule = "The first cell must stand at the reference of every axis"
        raise refused_error(rule, got, place, _REMEDY)
