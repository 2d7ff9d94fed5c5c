"""Tests of `tuning.matrix.plan`."""

import pytest

from tuning.matrix.plan import Axis, Cell, Level, MatrixPlan


def make_plan() -> MatrixPlan:
    channels = Axis(
        "channels",
        "input channels",
        (Level("s1", {"channels": ["s1"]}), Level("VV", {"channels": ["VV"]})),
        "s1",
    )
    cells = (Cell("first", (("channels", "s1"),)), Cell("second", (("channels", "VV"),)))
    return MatrixPlan(
        "matrix", (channels,), cells, ("unet",), (), "channels", "once", 0.02, 3, seeds=3
    )


def test_a_level_leads_to_its_cell() -> None:
    plan = make_plan()
    assert plan.cell("channels", "VV").campaign == "second"
    assert plan.reference.campaign == "first"


def test_an_unknown_axis_or_level_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"axis.*chanels.*channels"):
        make_plan().axis("chanels")
    with pytest.raises(ValueError, match=r"level of channels.*VW.*VV"):
        make_plan().cell("channels", "VW")
