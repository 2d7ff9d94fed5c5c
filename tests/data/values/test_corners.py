"""Corners are told from centres by the GeoTransform, else by whether coordinates are multiples of the pixel."""

import pytest

from data.values.corners import Corner, find_corner

TEXT = "576000 10 0 4732160 0 -10"


@pytest.mark.parametrize(
    ("first", "steps", "transform", "wanted"),
    [
        ((576_000, 4_732_160), (10, 10), None, Corner(0.0, guessed=True)),
        ((576_005, 4_732_155), (10, 10), None, Corner(0.5, guessed=True)),
        ((576_003, 4_732_160), (10, 10), None, Corner(0.5, guessed=True)),
        ((142.0, 43.0), (1e-4, 1e-4), None, Corner(0.5, guessed=True)),
        ((576_000, 4_732_160), (10, 10), TEXT, Corner(0.0, guessed=False)),
        ((576_005, 4_732_155), (10, 10), TEXT, Corner(0.5, guessed=False)),
        ((576_010, 4_732_160), (10, 10), TEXT, Corner(None, guessed=False)),
        ((576_000, 4_732_160), (10, 10), "576000 10 0 4732060 0 10", Corner(0.0, guessed=False)),
    ],
)
def test_coordinates_are_corners_or_centres(
    first: tuple[float, float], steps: tuple[float, float], transform: str | None, wanted: Corner
) -> None:
    assert find_corner(first, steps, transform, 10) == wanted


def test_other_coordinates_of_a_tile_are_corners() -> None:
    assert find_corner((576_003, 4_732_160), (10, 10), None, otherwise=0.0).share == 0


def test_a_transform_must_be_six_numbers() -> None:
    with pytest.raises(ValueError, match="unpack"):
        find_corner((0, 0), (10, 10), "1 2")
