"""Boundaries: hand-made outlines, scipy's distances as the judge, and mosaics that change no count."""

import numpy as np
import pytest
from scipy import ndimage

from tests.support.object_maps import cut_tiles, draw_blobs, draw_map, lay_out
from tuning.objects.boundary import TOLERANCE_M, count_boundary, find_outline, rate_boundary
from tuning.objects.mosaic import isolate


def draw_box(top: int, left: int, size: int) -> np.ndarray:
    """Draw a square on a tile, shape ``(1, 32, 32)``."""
    tile = np.zeros((1, 32, 32), np.uint8)
    tile[0, top : top + size, left : left + size] = 1
    return tile


def score(counts: np.ndarray) -> float:
    return float(rate_boundary(counts.sum(axis=0))["boundary_f"])


def test_the_outline_is_what_has_background_beside_it() -> None:
    box = draw_map(".....", ".xxx.", ".xxx.", ".xxx.", ".....")
    outline = find_outline(box, isolate(1))
    assert outline.sum() == 8
    assert not outline[0, 2, 2]


def test_a_tile_s_border_is_no_boundary() -> None:
    full = np.ones((1, 5, 5), np.uint8)
    assert count_boundary(full > 0, full).tolist() == [[0, 0, 0, 0]]
    half = draw_map("xxx..", "xxx..", "xxx..")
    assert count_boundary(half, half.astype(np.uint8)).tolist() == [[3, 3, 3, 3]]


def test_a_map_equal_to_its_mask_scores_1(rng: np.random.Generator) -> None:
    mask = draw_blobs(rng)[1]
    assert score(count_boundary(mask > 0, mask, tolerance_m=0)) == 1.0


@pytest.mark.parametrize(("shift", "near"), [(2, True), (3, False)])
def test_the_tolerance_is_20_m(shift: int, near: bool) -> None:
    # one long edge, shifted by 20 m or by 30 m
    mask, found = np.zeros((1, 32, 32), np.uint8), np.zeros((1, 32, 32), bool)
    mask[0, :10], found[0, : 10 + shift] = 1, True
    assert score(count_boundary(found, mask)) == float(near)
    assert TOLERANCE_M == 20


def test_distance_is_euclidean() -> None:
    mask, found = draw_map("x....", ".....", "....."), draw_map(".....", ".....", "..x..")
    assert score(count_boundary(found, mask.astype(np.uint8), tolerance_m=28.2)) == 0.0
    assert score(count_boundary(found, mask.astype(np.uint8), tolerance_m=28.3)) == 1.0


def test_counts_agree_with_a_distance_transform(rng: np.random.Generator) -> None:
    found, mask = draw_blobs(rng)
    for counts, one, other in zip(count_boundary(found, mask), found, mask > 0, strict=True):
        outlines = [x & ~ndimage.binary_erosion(x, border_value=1) for x in (one, other)]
        for place, (own, far) in enumerate((outlines, outlines[::-1])):
            distance = ndimage.distance_transform_edt(~far) if far.any() else np.full(own.shape, 99)
            expected = [(own & (distance <= 2)).sum(), own.sum()]
            assert counts[2 * place : 2 * place + 2].tolist() == expected


def test_cutting_a_map_into_tiles_changes_no_count(rng: np.random.Generator) -> None:
    field, other = rng.normal(size=(2, 48, 64))
    found, mask = (ndimage.uniform_filter(x, 3) > 0.25 for x in (field + other, field))
    whole = count_boundary(found[None], mask[None].astype(np.uint8))
    for rows, columns in ((3, 4), (6, 8)):
        tiles = [cut_tiles(x, rows, columns) for x in (found, mask.astype(np.uint8))]
        pieces = count_boundary(tiles[0], tiles[1], lay_out(rows, columns, 48 // rows))
        assert np.array_equal(pieces.sum(axis=0), whole[0])
        assert not np.array_equal(count_boundary(*tiles).sum(axis=0), whole[0])


def test_what_finds_nothing_scores_0_and_nothing_to_find_has_no_score() -> None:
    empty, box = np.zeros((1, 32, 32), np.uint8), draw_box(8, 8, 6)
    blind = rate_boundary(count_boundary(empty > 0, box))
    assert {float(value[0]) for value in blind.values()} == {0.0}
    nothing = rate_boundary(count_boundary(box > 0, empty))
    assert np.isnan([value[0] for value in nothing.values()]).all()


def test_a_false_alarm_lowers_precision_alone() -> None:
    box, empty = draw_box(8, 8, 6), np.zeros((1, 32, 32), np.uint8)
    found, mask = np.concatenate([box, box]) > 0, np.concatenate([box, empty])
    scores = rate_boundary(count_boundary(found, mask).sum(axis=0))
    assert [float(value) for value in scores.values()] == pytest.approx([0.5, 1.0, 2 / 3])


def test_maps_and_tolerances_are_checked() -> None:
    box = draw_box(8, 8, 6)
    with pytest.raises(ValueError, match=r"must be boolean, but got uint8\. Compare"):
        count_boundary(box, box)
    for wrong in (-1.0, 330.0):
        with pytest.raises(ValueError, match=rf"from 0 to 320 m.*but got {wrong:g}\. Use 20"):
            count_boundary(box > 0, box, tolerance_m=wrong)
    with pytest.raises(ValueError, match=r"must end in 4 numbers, but got \(3,\)"):
        rate_boundary(np.zeros(3))
