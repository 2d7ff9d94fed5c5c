"""Which numbers stand for no data, and where zeros do."""

import numpy as np
import pytest

from data.values.nodata import BLOB_PX, find_blobs, find_fills


@pytest.mark.parametrize(
    "value",
    [
        -9999,
        -99999,
        -32768,
        -32767,
        1e20,
        3.4028235e38,
        -3.4028235e38,
        9.969209968386869e36,
        -np.inf,
    ],
)
def test_usual_fills_are_no_data_wherever_they_stand(value: float) -> None:
    values = np.full((3, 4), -12, np.float32)
    values[1, 2] = value
    assert np.argwhere(find_fills(values)).tolist() == [[1, 2]]


def test_backscatter_in_any_unit_and_nan_are_no_fills() -> None:
    values = np.array([np.nan, 0, -50, 10, 1e-9, 40_000, 65_535, -99], np.float32)
    assert not find_fills(values).any()


def draw(*blocks: tuple[slice, slice]) -> np.ndarray:
    places = np.zeros((1, 60, 70), bool)
    for rows, columns in blocks:
        places[0, rows, columns] = True
    return places


@pytest.mark.parametrize(
    "block",
    [
        (slice(20, 20 + BLOB_PX), slice(30, 30 + BLOB_PX)),
        (slice(0, 1), slice(30, 30 + BLOB_PX)),
        (slice(40, 60), slice(69, 70)),
        (slice(0, 60), slice(0, 2)),
    ],
    ids=["square", "run along the upper border", "run along the right border", "strip"],
)
def test_squares_and_border_runs_are_blobs(block: tuple[slice, slice]) -> None:
    places = draw(block)
    np.testing.assert_array_equal(find_blobs(places), places)


@pytest.mark.parametrize(
    "block",
    [
        (slice(20, 20 + BLOB_PX - 1), slice(30, 60)),
        (slice(30, 31), slice(0, 70)),
        (slice(0, 1), slice(30, 30 + BLOB_PX - 1)),
        (slice(0, 1), slice(0, 1)),
    ],
    ids=["narrower", "a line through the image", "a short run", "a corner"],
)
def test_bright_patches_are_no_blobs(block: tuple[slice, slice]) -> None:
    assert not find_blobs(draw(block)).any()


def test_a_blob_has_its_slanting_edge_but_no_separate_pixel() -> None:
    rows, columns = np.mgrid[:60, :70]
    triangle = (rows + columns < 40)[None]
    places = triangle.copy()
    places[0, 50, 50] = True
    np.testing.assert_array_equal(find_blobs(places), triangle)


def test_each_image_is_judged_alone_and_of_any_size() -> None:
    places = np.zeros((2, 5, 6), bool)
    places[0] = True
    np.testing.assert_array_equal(find_blobs(places), places)
