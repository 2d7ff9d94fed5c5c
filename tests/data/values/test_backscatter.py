"""One function guards all ways in: no data becomes NaN and is counted, other values must be backscatter."""

import numpy as np
import pytest

from data.values.backscatter import (
    check_sample,
    clean_heights,
    convert_backscatter,
    settle_units,
)
from data.values.tally import BackscatterError, Tally

SHAPE = (2, 40, 50)


def make_db() -> np.ndarray:
    return np.random.default_rng(0).normal(-10, 3, SHAPE).clip(-49, -0.5).astype(np.float32)


def convert(values: np.ndarray, units: str = "dB") -> tuple[np.ndarray, Tally]:
    tally = Tally("VV", len(values))
    return convert_backscatter(values, units, tally), tally  # type: ignore[arg-type]


def test_plain_values_are_given_back_as_they_are() -> None:
    values = make_db()
    found, tally = convert(values)
    assert found is values
    assert tally.valid.tolist() == [2000, 2000]


@pytest.mark.parametrize(
    "value", [-9999, -32768, 3.4028235e38, 9.969209968386869e36, -np.inf, np.inf, 0]
)
def test_a_filled_corner_is_no_data_and_counted(value: float) -> None:
    values = make_db()
    values[1, :10, -20:] = value  # off the diagonal
    given = values.copy()
    found, tally = convert(values)
    np.testing.assert_array_equal(values, given)  # the caller's array stays
    assert np.isnan(found[1, :10, -20:]).all()
    assert np.isnan(found).sum() == 200
    kind = "fills" if value else "zeros"
    assert tally.list_shares() == [{}, {kind: 0.1}]


def test_values_declared_as_no_data_are_counted_apart() -> None:
    values = make_db()
    values[0, 3, :] = np.nan
    assert convert(values)[1].list_shares() == [{"declared": 0.025}, {}]


def test_a_bright_building_of_0_db_is_data() -> None:
    values = make_db()
    values[0, 20:23, 20:24] = 0
    values[0, 30, 30] = 7.5
    found, tally = convert(values)
    assert (found[0, 20:23, 20:24] == 0).all()
    assert found[0, 30, 30] == 0
    assert tally.highs == pytest.approx(7.5)


def test_linear_power_of_zero_or_less_is_no_data() -> None:
    power = 10 ** (make_db() / 10)
    power[0, 0, :4] = [0, -1e-4, -0.01, 1e-9]
    found, tally = convert(power, "linear")
    assert np.isnan(found[0, 0]).tolist() == [True] * 3 + [False] * 47
    assert found[0, 0, 3] == -50
    assert tally.list_shares() == [{"powerless": 0.0015}, {}]
    np.testing.assert_allclose(found[1], make_db()[1], atol=1e-4)


@pytest.mark.parametrize(
    ("index", "value", "units", "verdict", "message"),
    [
        ((0, 5, 5), np.inf, "dB", "infinite", "VV must be finite or NaN, but got inf"),
        (
            (0, slice(9), slice(9)),
            -60.0,
            "dB",
            "out-of-range",
            r"in \[-50, 10\] dB, but got -60 to",
        ),
        ((0, slice(9), slice(9)), 255.0, "dB", "out-of-range", "to 255"),
        ((1, slice(9), slice(9)), 300.0, "linear", "out-of-range", "to 24.77"),
        (slice(None), -9999.0, "dB", "no-data", "VV must have data, but got no valid pixel"),
        (1, 0.03, "dB", "wrong-unit", "VV must be dB on every date"),
    ],
)
def test_what_is_no_backscatter_is_refused(
    index: object, value: float, units: str, verdict: str, message: str
) -> None:
    values = make_db() if units == "dB" else 10 ** (make_db() / 10)
    values[index] = value  # type: ignore[index]
    with pytest.raises(BackscatterError, match=message) as caught:
        convert(values, units)
    assert caught.value.verdict == verdict


DECIBELS, POWER = {"VV": make_db()}, {"VV": 10 ** (make_db() / 10)}
AMPLITUDE = {"VV": np.sqrt(POWER["VV"])}


def test_the_unit_is_the_one_given_or_found() -> None:
    assert settle_units(DECIBELS, None)[0] == settle_units(DECIBELS, "dB")[0] == "dB"
    assert settle_units(POWER, None)[0] == settle_units(POWER, "linear")[0] == "linear"
    assert settle_units(AMPLITUDE, "linear")[0] == "linear"  # the user decides in doubt


@pytest.mark.parametrize(
    ("bands", "given", "verdict", "message"),
    [
        (
            DECIBELS,
            "linear",
            "wrong-unit",
            r"must be linear power, .* probably dB .* --units dB if",
        ),
        (POWER, "dB", "wrong-unit", r"must be dB, .* probably linear power .* --units linear if"),
        (AMPLITUDE, None, "unclear-unit", r"beyond doubt, but got a median .* with --units dB or"),
        ({"VV": 900 * POWER["VV"] + 60}, None, "out-of-range", r"in \(-50.0, 10.0\) dB, but got 6"),
        (DECIBELS | {"VH": POWER["VV"]}, None, "wrong-unit", "in one unit, but got VV like dB, VH"),
        (DECIBELS | {"VH": POWER["VV"]}, "dB", "wrong-unit", "Convert them to one unit"),
    ],
)
def test_a_unit_that_values_contradict_or_leave_open_is_refused(
    bands: dict[str, np.ndarray], given: str | None, verdict: str, message: str
) -> None:
    with pytest.raises(BackscatterError, match=message) as caught:
        settle_units(bands, given)  # type: ignore[arg-type]
    assert caught.value.verdict == verdict


@pytest.mark.parametrize("bands", [DECIBELS, POWER, AMPLITUDE])
def test_no_two_remedies_send_from_one_unit_to_the_other(bands: dict[str, np.ndarray]) -> None:
    refused = 0
    for units in ("dB", "linear"):
        try:
            settle_units(bands, units)  # type: ignore[arg-type]
        except BackscatterError:
            refused += 1
    assert refused < 2


def test_a_sample_of_a_band_is_checked_too() -> None:
    check_sample("VV", make_db(), "dB")
    with pytest.raises(BackscatterError, match=r"VV must be in \[-50, 10\] dB"):
        check_sample("VV", -100 * make_db(), "dB")


def test_fills_of_heights_become_nan() -> None:
    heights = np.array([[-3, 8848], [120, 7]], np.float32)
    assert clean_heights(heights) is heights
    heights[0, 0], heights[1, 1] = -32768, np.inf
    assert np.isnan(clean_heights(heights)).tolist() == [[True, False], [False, True]]
