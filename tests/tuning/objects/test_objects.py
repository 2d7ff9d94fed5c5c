"""Landslides as objects: hand-made maps with known answers, mosaics, and the minimum mapping unit."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from tests.support.object_maps import cut_tiles, draw_blobs, draw_map, draw_square, lay_out
from tuning.objects.object_scores import SIZES, score_objects
from tuning.objects.objects import count_objects, label_objects

SMALL, MEDIUM, LARGE, HUGE = SIZES


# ----------------------------------------------------------------------------- what is an object


def test_diagonal_neighbours_are_one_object() -> None:
    mask = draw_map("x...", ".x..", "...x")
    assert count_objects(mask, mask.astype(np.uint8)).references.sum() == 2


def test_objects_end_at_the_tile_s_border() -> None:
    tiles = np.ones((2, 3, 3), bool)  # one above the other, both full
    assert count_objects(tiles, tiles).references.sum(axis=1).tolist() == [1, 1]


# -------------------------------------------------------------------------------- what is found


def test_overlap_of_exactly_the_bound_does_not_find() -> None:
    # reference 10 px, found 3 of them and nothing else: IoU 3/10; with 4 of them 4/10
    mask = draw_map("xxxxxxxxxx")
    three, four = draw_map("xxx......."), draw_map("xxxx......")
    assert score_objects(count_objects(three, mask))["object_recall"] == 0.0
    assert score_objects(count_objects(three, mask))["object_recall_any"] == 1.0
    assert score_objects(count_objects(four, mask))["object_recall"] == 1.0


def test_scores_follow_from_a_hand_made_map() -> None:
    mask = draw_map(
        "xx....xx..",
        "xx....xx..",
        "..........",
        "xxxx......",
        "..........",
        ".........x",
    )
    found = draw_map(
        "xx........",
        "xx........",
        "..........",
        "...xxxx...",
        "..........",
        "xx........",
    )
    # References: a square found whole, a square missed, a bar touched (IoU 1/7), a pixel missed.
    # Found: the square, the bar beside the bar (IoU 1/7), two pixels on nothing.
    scores = score_objects(count_objects(found, mask))
    assert scores["object_recall"] == 1 / 4
    assert scores["object_recall_any"] == 2 / 4
    assert scores["object_precision"] == 1 / 3
    assert scores["object_precision_any"] == 2 / 3
    assert scores["object_f1"] == pytest.approx(2 * (1 / 4) * (1 / 3) / (1 / 4 + 1 / 3))
    assert scores["area_bias"] == pytest.approx(10 / 13 - 1)  # 4 + 4 + 2 over 4 + 4 + 4 + 1


def test_recall_goes_by_the_reference_s_size_and_precision_by_the_found_one_s() -> None:
    # reference 9 x 9 = 81 px, found 6 x 6 = 36 px inside: IoU 36/81 > 0.3
    scores = score_objects(count_objects(draw_square(6), draw_square(9).astype(np.uint8)))
    assert scores[f"object_recall/{LARGE}"] == 1.0
    assert scores[f"object_precision/{MEDIUM}"] == 1.0
    assert np.isnan(scores[f"object_recall/{MEDIUM}"])
    assert np.isnan(scores[f"object_precision/{LARGE}"])


def test_scattered_pixels_on_a_landslide_touch_but_do_not_find_it() -> None:
    mask, found = draw_map("xxxxxxxxxx"), draw_map("x.x.x.x.x.")
    scores = score_objects(count_objects(found, mask))
    assert (scores["object_recall"], scores["object_precision"]) == (0.0, 0.0)
    assert (scores["object_recall_any"], scores["object_precision_any"]) == (1.0, 1.0)
    assert scores["object_f1"] == 0.0


def test_whole_map_found_is_all_right() -> None:
    mask = draw_blobs(np.random.default_rng(1))[1]
    scores = score_objects(count_objects(mask > 0, mask))
    assert {scores[name] for name in scores if name.startswith("object_f1")} == {1.0}
    assert (scores["object_recall"], scores["object_precision"]) == (1.0, 1.0)
    assert (scores["area_bias"], scores["alarms_per_km2"]) == (0.0, 0.0)


def test_false_alarms_are_counted_on_tiles_without_landslides_alone() -> None:
    mask, found = np.zeros((3, 100, 100), np.uint8), np.zeros((3, 100, 100), bool)
    mask[0, :5, :5] = 1
    found[0, 50:60, 50:60] = True  # beside the landslide: another tile's matter
    found[1, 0, :3] = found[1, 9, :7] = True
    # two tiles of 1 km2 without landslides, two objects of 3 and 7 px on 20,000 px
    scores = score_objects(count_objects(found, mask))
    assert scores["alarms_per_km2"] == pytest.approx(1.0)
    assert scores["alarm_share"] == pytest.approx(10 / 20_000)


# -------------------------------------------------------------------------------------- mosaics


def test_cutting_a_map_into_tiles_changes_no_sum(rng: np.random.Generator) -> None:
    field, other = rng.normal(size=(2, 64, 96))
    found, mask = (uniform_filter(x, 3) > 0.25 for x in (field + other, field))
    whole = count_objects(found[None], mask[None].astype(np.uint8)).total()
    for rows, columns in ((2, 3), (4, 6), (8, 12)):
        size = 64 // rows
        tiles = count_objects(
            cut_tiles(found, rows, columns),
            cut_tiles(mask, rows, columns).astype(np.uint8),
            lay_out(rows, columns, size),
        ).total()
        assert np.array_equal(tiles.to_array()[:-3], whole.to_array()[:-3])  # but empty tiles
    alone = count_objects(cut_tiles(found, 2, 3), cut_tiles(mask, 2, 3).astype(np.uint8)).total()
    assert alone.references.sum() > whole.references.sum()  # cut in two where tiles are alone


def test_an_object_counts_in_the_tile_that_holds_most_of_it() -> None:
    mask = np.zeros((16, 32), np.uint8)
    mask[4, 12:32] = 1  # 4 px in the west tile, 16 in the east one
    mask[8, 10:22] = 1  # 6 px in each: the first
    tiles = cut_tiles(mask, 1, 2)
    counts = count_objects(tiles > 0, tiles, lay_out(1, 2, 16))
    assert counts.references.sum(axis=1).tolist() == [1, 1]
    assert counts.hit.sum(axis=1).tolist() == [1, 1]
    assert counts.references[1].tolist() == [0, 1, 0, 0]  # 20 px, by the whole area
    assert counts.area_px.tolist() == [[10, 10], [22, 22]]


def test_an_object_of_several_parts_in_one_tile_is_one() -> None:
    mask = np.zeros((16, 32), np.uint8)
    mask[[3, 9], 10:18] = mask[3:10, 17] = 1  # two arms in the west, joined in the east
    tiles = cut_tiles(mask, 1, 2)
    assert count_objects(tiles > 0, tiles, lay_out(1, 2, 16)).references.sum() == 1
    assert count_objects(tiles > 0, tiles).references.sum() == 3


def test_numbers_of_objects_go_over_borders() -> None:
    mask = np.zeros((16, 32), np.uint8)
    mask[4, 12:32] = mask[8, :3] = 1
    labels, area_px = label_objects(cut_tiles(mask, 1, 2), lay_out(1, 2, 16))
    assert labels[0, 4, 15] == labels[1, 4, 0] != labels[0, 8, 0]
    assert area_px[labels[[0, 0], [4, 8], [15, 0]]].tolist() == [20, 3]
    assert area_px[0] == mask.size - 23
    assert len(label_objects(cut_tiles(mask, 1, 2))[1]) == 4


def test_a_detection_that_reaches_a_landslide_beyond_the_border_is_no_false_alarm() -> None:
    mask, found = np.zeros((16, 32), np.uint8), np.zeros((16, 32), bool)
    mask[4, 16:20] = 1
    found[4, 10:20] = found[9, 2:4] = True  # mostly on the empty tile; and an alarm
    counts = count_objects(cut_tiles(found, 1, 2), cut_tiles(mask, 1, 2), lay_out(1, 2, 16))
    assert counts.found.sum(axis=1).tolist() == [2, 0]
    assert counts.right.sum(axis=1).tolist() == [1, 0]
    assert counts.empty.tolist() == [[256, 1, 8], [0, 0, 0]]


def test_neighbours_of_other_tiles_are_refused() -> None:
    tiles = np.zeros((2, 16, 16), bool)
    with pytest.raises(ValueError, match=r"Neighbours must be of shape \(2, 8\).*same tiles"):
        count_objects(tiles, tiles.astype(np.uint8), lay_out(1, 3, 16))


# ------------------------------------------------------------------------- minimum mapping unit


def count_by_hand(*rows: str, least_px: int) -> dict[str, int]:
    """Count a drawing: ``r`` reference alone, ``f`` found alone, ``b`` both."""
    drawn = np.array([list(row) for row in rows])[None]
    found, mask = np.isin(drawn, ["f", "b"]), np.isin(drawn, ["r", "b"]).astype(np.uint8)
    counts = count_objects(found, mask, min_area_m2=100 * least_px)
    names = ("references", "hit", "touched", "found", "right", "touching")
    return {name: int(getattr(counts, name).sum()) for name in names} | {
        "reference_px": int(counts.area_px[0, 0]),
        "found_px": int(counts.area_px[0, 1]),
    }


def test_found_objects_below_the_unit_are_not_mapped() -> None:
    counts = count_by_hand("rbbrr...ff", least_px=3)  # the match has 2 px, the alarm 2
    assert counts["references"] == 1
    assert [counts[name] for name in ("hit", "touched", "found", "touching", "found_px")] == [0] * 5


def test_reference_objects_below_the_unit_are_neither_hit_nor_missed() -> None:
    counts = count_by_hand("rr...bbb..", least_px=3)
    assert (counts["references"], counts["hit"], counts["reference_px"]) == (1, 1, 3)
    assert count_by_hand("bb........", least_px=3)["references"] == 0


def test_a_find_of_a_too_small_reference_is_neither_right_nor_wrong() -> None:
    counts = count_by_hand("bbf...bbb.", least_px=3)  # 3 px on 2 px: IoU 2/3
    assert (counts["found"], counts["right"], counts["touching"]) == (1, 1, 1)
    assert counts["found_px"] == 3
    counts = count_by_hand("bffff.bbb.", least_px=3)  # IoU 1/5: on a landslide, but no match
    assert (counts["found"], counts["right"], counts["touching"]) == (2, 1, 2)


def test_a_match_goes_before_a_too_small_reference() -> None:
    counts = count_by_hand("bbfbbb", least_px=3)  # IoU 2/6 and 3/6
    assert (counts["found"], counts["right"], counts["hit"]) == (1, 1, 1)


def test_an_object_of_exactly_the_unit_counts() -> None:
    assert count_by_hand("bbb", least_px=3)["hit"] == 1


def test_the_unit_goes_by_the_area_over_borders() -> None:
    mask = np.zeros((16, 32), np.uint8)
    mask[4, 14:18] = 1
    tiles = cut_tiles(mask, 1, 2)
    around = lay_out(1, 2, 16)
    assert count_objects(tiles > 0, tiles, around, min_area_m2=400).hit.sum() == 1
    assert count_objects(tiles > 0, tiles, around, min_area_m2=401).found.sum() == 0


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 5), (0, 4, 4)])
def test_maps_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"one shape \(N, H, W\), but got"):
        count_objects(np.zeros(shape, bool), np.zeros((shape[0], 4, 4)[-len(shape) :], np.uint8))


def test_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be boolean, but got float32\. Compare"):
        count_objects(np.zeros((1, 4, 4), np.float32), np.zeros((1, 4, 4), np.uint8))


def test_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alone, but got 0 to 255"):
        count_objects(np.zeros((1, 1, 2), bool), np.array([[[0, 255]]], np.uint8))
