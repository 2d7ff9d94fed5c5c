"""Chosen values beside the ranges that the search space's code has for a campaign."""

import pytest

from tuning.report.study.ranges import (
    HIGHEST,
    LOWEST,
    describe_domain,
    find_edge,
    find_space,
    format_value,
    list_chosen,
    read_value,
)
from tuning.trial.search_space import TRAINING, LogUniform, make_space

RATE = LogUniform(1e-4, 1e-2)


def test_ranges_are_those_of_the_campaign_s_preset_recipe_and_loss() -> None:
    assert find_space({"preset": "quick"}, "unet") == make_space("unet", "all")
    focal = find_space({"preset": "paper", "loss": "focal_dice"}, "unet")
    assert focal == make_space("unet", "none", loss="focal_dice")
    published = find_space({"preset": "paper", "recipe": "published"}, "unet")
    assert published is not None
    assert published["lr"] == [1e-3]


def test_ranges_of_an_unknown_preset_or_network_are_unknown() -> None:
    assert find_space({}, "unet") is None
    assert find_space({"preset": "quick"}, "my_net_of_another_machine") is None


def test_weights_to_start_from_leave_the_architecture_without_a_range() -> None:
    space = find_space({"preset": "paper", "init.digest": "abc"}, "unet")
    assert space is not None
    assert set(space) == set(TRAINING)


@pytest.mark.parametrize(
    ("value", "edge"), [(1e-4, LOWEST), (1.2e-4, LOWEST), (1e-3, ""), (9e-3, HIGHEST)]
)
def test_a_value_near_an_end_of_a_logarithmic_range_is_at_its_edge(value: float, edge: str) -> None:
    assert find_edge(value, RATE) == edge  # 5 % of two decades is a factor of 1.26


@pytest.mark.parametrize(
    ("values", "value", "edge"),
    [
        ([8, 16, 32], 8, LOWEST),
        ([32, 8, 16], 32, HIGHEST),
        ([8, 16, 32], 16, ""),
        ([3, 4], 4, ""),  # each of two values is at an end
        ([True, False], True, ""),
        (["layer", "batch", "group"], "layer", ""),
        ([0.1, "auto", 0.2, 0.3], 0.1, ""),  # not a scale
    ],
)
def test_a_list_has_edges_if_it_holds_three_numbers(
    values: list[object], value: object, edge: str
) -> None:
    assert find_edge(value, values) == edge


def test_chosen_values_come_in_the_order_of_the_space_and_of_the_folds() -> None:
    space = {"lr": RATE, "arch.width": [8, 16, 32], "arch.conv": ["plain"], "absent": [1, 2]}
    configs = [
        {"lr": "0.0012345", "arch.width": "8", "arch.conv": "plain", "seed": "42"},
        {"lr": "0.0012345", "arch.width": "32", "arch.conv": "plain", "seed": "42"},
    ]
    rate, width, conv = list_chosen(configs, space)
    assert (rate.name, rate.value, rate.searched) == (
        "lr",
        "1.23e-3",
        "1e-4 to 0.01, logarithmic",
    )
    assert (width.value, width.edge, width.varied) == ("8 / 32", "highest and lowest", True)
    assert (conv.searched, conv.varied) == ("fixed at plain", False)
    assert all(one.known for one in (rate, width, conv))


def test_a_value_outside_of_the_range_is_said_to_be_so() -> None:
    (rate,) = list_chosen([{"lr": "0.5"}], {"lr": RATE})
    assert (rate.known, rate.edge) == (False, "")
    assert read_value("nan", RATE) is None
    assert read_value("half", RATE) is None
    assert read_value("8", [8, 16]) == 8


def test_values_are_readable_and_safe() -> None:
    assert format_value("0.0023456789012345") == "2.35e-3"
    assert format_value("64") == "64"
    assert format_value("a\x1b[31mb") == "a?[31mb"
    assert len(format_value("x" * 500)) == 61
    assert describe_domain([0.25, 0.5]) == "0.25, 0.5"
