"""The unit of backscatter is found from the distribution of all values, or left in doubt."""

import numpy as np
import pytest

from data.values.units import judge_units

RNG = np.random.default_rng(0)
DB = {
    "s1asc VV": RNG.normal(-8, 4, (4, 90, 90)).clip(-50, 0),
    "s1asc VH": RNG.normal(-14, 4, (4, 90, 90)).clip(-50, 0),
}
POWER = {name: 10 ** (values / 10) for name, values in DB.items()}
Bands = dict[str, np.ndarray]


def spoil(bands: Bands, share: float, value: float, *names: str) -> Bands:
    """Put a value into a share of the pixels."""
    spoilt = {name: values.copy() for name, values in bands.items()}
    for name in names or bands:
        flat = spoilt[name].reshape(-1)
        flat[: int(share * flat.size)] = value
    return spoilt


@pytest.mark.parametrize(
    ("bands", "units"),
    [
        (DB, "dB"),
        (POWER, "linear"),
        (spoil(POWER, 0.001, -1e-4), "linear"),
        (spoil(POWER, 0.001, -1e-4, "s1asc VV"), "linear"),
        (spoil(POWER, 0.4, -1e-4), "linear"),
        (spoil(DB, 0.7, -9999), "dB"),
        (spoil(POWER, 0.7, 0), "linear"),
        (spoil(POWER, 0.7, -9999), "linear"),
        (spoil(DB, 0.7, np.nan), "dB"),
        (spoil(DB, 0.05, 3.0), "dB"),
        ({"VV": DB["s1asc VV"], "VH": np.full((9, 9), np.nan)}, "dB"),
        ({name: np.sqrt(values) for name, values in POWER.items()}, None),  # amplitude
        ({"VV": np.sqrt(POWER["s1asc VV"])}, None),
        ({name: 1000 * np.sqrt(values) for name, values in POWER.items()}, None),
        ({"VV": -DB["s1asc VV"]}, None),  # dB without its sign
        ({"VV": np.full((9, 9), 0.1)}, None),
        ({"VV": np.full((9, 9), np.nan)}, None),
    ],
)
def test_the_unit_is_found_from_the_distribution(bands: Bands, units: str | None) -> None:
    found = judge_units(bands)
    assert (found.units, found.conflict) == (units, False)


def test_bands_in_two_units_contradict_each_other() -> None:
    found = judge_units({"s1asc VV": POWER["s1asc VV"], "s1asc VH": DB["s1asc VH"]})
    assert (found.units, found.conflict) == (None, True)
    assert found.text == "s1asc VV like linear power, s1asc VH like dB"


def test_the_reason_has_numbers() -> None:
    assert judge_units({"VV": np.array([-9.0, -8, -8, 1])}).text == (
        "median -8, 75.0% of the values below zero"
    )
