"""A law: the same scene has the same values through every door, however it is stored."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.doors import DATES, DOORS, SIZE, Stored, make_scene

CORNER = np.zeros((DATES, SIZE, SIZE), bool)
CORNER[:3, :50, 70:] = True  # off the diagonal
FILLS = (-9999, -32768, -3.4028235e38, 3.4028235e38, 9.969209968386869e36, -np.inf, np.inf, 0, 1e20)
HOLES = [np.zeros((DATES, SIZE, SIZE), bool) for _ in FILLS]
for step, hole in enumerate(HOLES):
    hole[step, 60:78, 20:38] = True  # a blob
    hole[step, :3, 40:100] = True  # a strip along the border


def fill(values: np.ndarray, name: str) -> np.ndarray:
    """Store, on a date each, numbers that no attribute declares as no data."""
    for value, hole in zip(FILLS, HOLES, strict=True):
        values[hole] = value
    return values


def pack(values: np.ndarray, name: str) -> np.ndarray:
    whole = np.round(values.astype(np.float64) / 0.01).astype(np.int16)
    return np.where(CORNER, np.int16(-32768), whole)


STORED: dict[str, Stored] = {
    "as published": Stored(),
    "int16": Stored(pack, {"scale_factor": 0.01, "_FillValue": np.int16(-32768)}, CORNER),
    "float": Stored(
        lambda values, name: (values - np.float32(5)) / np.float32(2),
        {"scale_factor": 2.0, "add_offset": 5.0},
    ),
    "missing_value": Stored(
        lambda values, name: np.where(CORNER, np.float32(-40), values),
        {"missing_value": np.float32(-40)},
        CORNER,
    ),
    "undeclared": Stored(fill, {}, np.any(HOLES, axis=0)),
}


@pytest.mark.slow  # 7 doors of 15 dates each
@pytest.mark.parametrize("name", STORED)
def test_a_scene_has_the_same_values_through_every_door(name: str, tmp_path: Path) -> None:
    how = STORED[name]
    wanted, scene = make_scene(Stored()), make_scene(how)
    truth = np.stack([one[b].values for one in wanted.values() for b in ("VV", "VH")], axis=1)
    truth[np.broadcast_to(how.empty[:, None], truth.shape)] = np.nan
    first: np.ndarray | None = None
    for door, read in DOORS.items():
        (root := tmp_path / door).mkdir()
        found = read(scene, root)
        assert found.shape == truth.shape, door
        # Half precision rounds by 0.016 dB; whole hundredths of a dB are stored by int16.
        np.testing.assert_allclose(found, truth, atol=0.03, err_msg=door)
        first = found if first is None else first
        np.testing.assert_array_equal(found, first, err_msg=door)
