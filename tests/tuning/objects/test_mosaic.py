"""Tiles touch where their corners say so, and parts of objects are joined over the border alone."""

import numpy as np
import pytest

from tuning.objects.mosaic import (
    STEPS,
    check_neighbours,
    find_neighbours,
    isolate,
    join_parts,
    pad_with_neighbours,
    take_rims,
)

SIZE = (128, 128)
CROSS = np.array([(0, 0), (1280, 0), (0, -1280), (1280, -1280)], float)  # NW, NE, SW, SE


def test_tiles_touch_at_edges_and_corners() -> None:
    found = find_neighbours(CROSS, ["a"] * 4, SIZE)
    beside = {STEPS[number]: tile for number, tile in enumerate(found[0]) if tile >= 0}
    assert beside == {(0, 1): 1, (1, 0): 2, (1, 1): 3}
    assert dict(zip(STEPS, found[3].tolist(), strict=True))[-1, -1] == 0


def test_touching_is_mutual() -> None:
    found = find_neighbours(CROSS, ["a"] * 4, SIZE)
    for tile, row in enumerate(found):
        for number, other in enumerate(row):
            assert other < 0 or found[other, 7 - number] == tile


@pytest.mark.parametrize(
    ("corners", "planes"),
    [
        (CROSS[:2], ["a", "b"]),  # two regions
        ([(0, 0), (1290, 0)], ["a", "a"]),  # a gap of a pixel
        ([(0, 0), (1280, 10)], ["a", "a"]),  # shifted along the edge
        ([(0, 0), (640, 0)], ["a", "a"]),  # overlapping
        ([(0, 0), (np.nan, np.nan)], ["a", "a"]),  # unknown
        ([(np.nan, np.nan), (np.nan, np.nan)], ["a", "a"]),
        ([(0, 0), (0, 0), (1280, 0)], ["a", "a", "a"]),  # two tiles at one place
    ],
)
def test_other_tiles_do_not_touch(corners: list[tuple[float, float]], planes: list[str]) -> None:
    assert (find_neighbours(np.array(corners, float), planes, SIZE) == -1).all()


def test_corners_are_compared_to_the_pixel() -> None:
    corners = np.array([(0.0, 0.0), (1280.3, 0.2)])
    assert find_neighbours(corners, ["a", "a"], SIZE).max() == 1


def test_corners_of_other_tiles_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"a corner and a plane, but got corners of shape \(4, 2\)"
    ):
        find_neighbours(CROSS, ["a"], SIZE)


@pytest.mark.parametrize("neighbours", [isolate(3), isolate(2) - 1, isolate(2) + 3])
def test_neighbours_of_other_tiles_are_refused(neighbours: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be of shape \(2, 8\), each the index of a tile"):
        check_neighbours(neighbours, 2)


def test_a_padded_tile_continues_as_the_mosaic_does(rng: np.random.Generator) -> None:
    whole = rng.random((12, 12)) < 0.5
    tiles = whole.reshape(3, 4, 3, 4).swapaxes(1, 2).reshape(9, 4, 4)
    corners = np.array([(c * 40.0, -r * 40.0) for r in range(3) for c in range(3)])
    neighbours = find_neighbours(corners, ["a"] * 9, (4, 4))
    middle, corner = pad_with_neighbours(tiles, neighbours, np.array([4, 0]), 2)
    assert np.array_equal(middle, whole[2:10, 2:10])
    assert np.array_equal(corner[2:, 2:], whole[:6, :6])
    assert not corner[:2].any()
    assert not corner[:, :2].any()


def join(tiles: list[list[str]], columns: int) -> list[int]:
    """Join parts drawn by their number; tiles come row after row."""
    labels = np.array([[[int(x) for x in row] for row in tile] for tile in tiles])
    size = labels.shape[1:]
    places = [divmod(n, columns) for n in range(len(tiles))]
    corners = np.array([(c * size[1] * 10.0, -r * size[0] * 10.0) for r, c in places])
    neighbours = find_neighbours(corners, ["a"] * len(tiles), size)
    return join_parts(*take_rims(labels), neighbours, int(labels.max())).tolist()


def test_parts_join_over_an_edge_also_aslant() -> None:
    assert join([["001", "000", "002"], ["003", "400", "000"]], 2) == [0, 0, 1, 0]
    assert join([["001", "000", "000"], ["000", "000", "200"]], 2) == [0, 1]  # two rows apart
    assert join([["10", "00"], ["00", "02"], ["03", "00"]], 1) == [0, 1, 1]  # one above the other


def test_parts_join_over_a_corner() -> None:
    tiles = [["00", "01"], ["00", "20"], ["03", "00"], ["40", "00"]]
    first, second, third, fourth = join(tiles, 2)
    assert first == second == third == fourth


def test_a_corner_alone_joins_both_diagonals() -> None:
    assert join([["00", "01"], ["00", "00"], ["00", "00"], ["20", "00"]], 2) == [0, 0]
    assert join([["00", "00"], ["00", "10"], ["02", "00"], ["00", "00"]], 2) == [0, 0]


def test_parts_that_meet_beyond_the_border_are_one() -> None:
    # two arms in the west tile, joined by a part of the east one
    assert join([["11", "00", "22"], ["30", "30", "30"]], 2) == [0, 0, 0]


def test_no_parts_join_to_none() -> None:
    assert join_parts(*take_rims(np.zeros((2, 3, 3), int)), isolate(2), 0).tolist() == []
