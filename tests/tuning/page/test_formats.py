"""Numbers in tables are written as what they are: counts without decimals, amounts and settings with few digits."""

from typing import Any

import pytest

from tuning.page.blocks import Link, Table
from tuning.page.formats import (
    format_amount,
    format_count,
    format_in_column,
    format_p,
    format_setting,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "shown"), [(122113.0, "122,113"), (7729.25, "7,729"), (0.0, "0"), (2.5, "2.5")]
)
def test_a_mean_of_equal_integers_is_an_integer(value: float, shown: str) -> None:
    assert format_count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.012345, "0.0123"), (4.0, "4.00"), (123.4, "123"), (7729.6, "7,730")],
)
def test_amounts_have_three_significant_digits_and_no_exponent(value: float, shown: str) -> None:
    assert format_amount(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0.0012345678901234567", "1.23e-3"),
        ("0.0012", "1.2e-3"),
        (1e-4, "1e-4"),
        ("0.30000000000000004", "0.3"),
        ("32", "32"),
        (123456, "123456"),
        ("2.5e6", "2.5e6"),
        ("0", "0"),
        ("-0.00025", "-2.5e-4"),
        ("bce_dice", "bce_dice"),
        ("[32, 64]", "[32, 64]"),
        (True, "True"),
        ("1e999", "1e999"),
        (None, "None"),
    ],
)
def test_settings_have_three_significant_digits(value: Any, shown: str) -> None:
    assert format_setting(value) == shown


def test_a_small_p_is_below_a_thousandth_and_never_zero() -> None:
    assert [format_p(value) for value in (0.0, 0.0004, 0.0006, 0.04, 1.0)] == [
        *("< 0.001", "< 0.001", "0.001", "0.040", "1.000")
    ]


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("parameters", 122113.0, "122,113"),
        ("parameters", NAN, "\N{EN DASH}"),
        ("parameters", None, "\N{EN DASH}"),
        ("parameters", "unknown", "unknown"),
        ("p", 0.0001, "< 0.001"),
        ("p; adjusted for 10 pairs", 0.0001, "< 0.001"),
        ("AP", 122113.0, "122,113.000"),
        ("p", True, "yes"),
    ],
)
def test_a_column_s_heading_gives_its_numbers_their_format(
    column: str, value: Any, shown: str
) -> None:
    assert format_in_column(column, value) == shown
    assert Table(["model", column], [["a", value]]).cells == [["a", shown]]


def test_a_column_of_small_p_values_is_one_of_numbers() -> None:
    assert Table(["model", "p"], [["a", 0.0001], ["b", 0.5]]).kinds == ["short", "num"]


def test_a_link_leads_to_a_web_address_or_to_a_report_beside() -> None:
    table = Table(["run"], [[Link("a", "http://127.0.0.1:5000/#/runs/1")], ["none"]])
    assert table.cells[0] == ["a"]
    assert table.addresses[0] == ["http://127.0.0.1:5000/#/runs/1"]
    with pytest.raises(ValueError, match=r"'a' leads to 'javascript:alert\(1\)'\. Show it as text"):
        Link("a", "javascript:alert(1)")
