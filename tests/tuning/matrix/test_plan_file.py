"""Tests of `tuning.matrix.plan_file`."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from data.io.safe_json import RefusedError
from tuning.matrix.plan import Axis, Cell, Level, MatrixPlan
from tuning.matrix.plan_file import RULES, parse_plan, read_plan


def make_plan() -> MatrixPlan:
    channels = Axis(
        "channels",
        "input channels",
        (Level("s1", {"channels": ["s1"]}), Level("VV", {"channels": ["VV"]})),
        "s1",
    )
    train = Axis(
        "train",
        "share of the train tiles",
        (Level("0.5", {"train_share": 0.5}, 0.5), Level("1", {}, 1.0)),
        "1",
        ordered=True,
    )
    cells = (
        Cell("m-reference", (("channels", "s1"), ("train", "1"))),
        Cell("m-vv", (("channels", "VV"),)),
        Cell("m-half", (("train", "0.5"),)),
    )
    return MatrixPlan(
        *("m", (channels, train), cells, ("unet", "utae"), ("log_ratio_vv",)),
        *("channels", "once", 0.02, 3, 5, 0, 1.5),
    )


def change(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    for step in path[:-1]:
        content = content[step]
    content[path[-1]] = value


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    file.write_text(json.dumps(make_plan().to_json()))
    assert read_plan(file) == make_plan()


def test_every_field_of_a_plan_has_a_rule() -> None:
    for kind, rules in RULES.items():
        assert [one.name for one in fields(kind)] == list(rules)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), "../m", "name must be a safe name, but got '../m' in matrix.json"),
        (("margin",), 0, "margin must be above 0 and at most 1, but got 0"),
        (("seeds",), True, "seeds must be a whole number from 1 to 10,000, but got True"),
        (("search",), "twice", "search must be once or per-cell, but got 'twice'"),
        (("block_tiles",), 0, "block_tiles must be a whole number from 1, but got 0"),
        (("models",), ["unet", "a/b"], "models must be at most 200 safe names"),
        (("budget_hours",), "1", "budget_hours must be a number of hours or null, but got '1'"),
        (("dropped_seeds",), -1, "dropped_seeds must be a whole number from 0"),
        (("primary",), "loss", "Axes must have names of their own, but got .* axis 'loss'"),
        (("axes",), [], "axes must be 1 to 50 axes"),
        (("axes", 0), {"name": "x"}, "must have name, label, levels, .* but got .*an axis of"),
        (("axes", 0, "label"), "a\nb", r"label must be one printable line, but got 'a\\nb'"),
        (("axes", 0, "ordered"), 1, "ordered must be true or false, but got 1"),
        (("axes", 0, "name"), "train", "Axes must have names of their own"),
        (("axes", 0, "reference"), "VH", "Levels of channels must come once"),
        (("axes", 1, "levels", 0, "value"), 2.0, "Values of the ordered axis train must ascend"),
        (("axes", 1, "levels", 0, "value"), None, "Values of the ordered axis train must ascend"),
        (("axes", 1, "levels", 0, "value"), float("nan"), "value must be a number or null"),
        (("axes", 1, "levels", 0, "options"), [], "options must be an object"),
        (("cells", 1, "campaign"), "m-half", "A campaign must be one cell"),
        (("cells", 1, "places"), [["channels"]], "places must be pairs of axis and level"),
        (("cells", 1, "places"), [["channels", "s1"]], "Each level must have one cell"),
        (("cells",), list(range(6000)), "cells must be 1 to 5000 cells"),
        (("more",), 1, "A plan's part must have name, axes, cells"),
    ],
)
def test_a_forged_plan_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    content = json.loads(json.dumps(make_plan().to_json()))
    change(content, path, value)
    with pytest.raises(RefusedError, match=message):
        parse_plan(content, "matrix.json")


def test_a_plan_whose_first_cell_is_not_the_reference_is_refused() -> None:
    content = json.loads(json.dumps(make_plan().to_json()))
    content["cells"].reverse()
    rule = "The first cell must stand at the reference of every axis, but got"
    with pytest.raises(RefusedError, match=re.escape(rule)):
        parse_plan(content, "matrix.json")
