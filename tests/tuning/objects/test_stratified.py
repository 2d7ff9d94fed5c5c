"""Groups on made-up hills with known slope and aspect, and scores that are those of the class's pixels alone."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from data.tiles import NODATA, PIXEL_M
from data.twin.regions import HOKKAIDO
from tuning.metrics.histogram import edges, reach, to_bins
from tuning.objects.object_scores import SIZES
from tuning.objects.stratified import (
    LOOK_DEG,
    NO_CLASS,
    NO_HEIGHT,
    SIZE,
    Group,
    class_geometry,
    make_groups,
    score_groups,
)

FLAT, ASCENDING, DESCENDING, ACROSS = range(4)


def tilt(slope_deg: float, aspect_deg: float, size: int = 8) -> np.ndarray:
    """Make a plane that falls towards an aspect, clockwise from north, shape ``(1, H, W)``, in m."""
    rows, columns = np.mgrid[:size, :size] * PIXEL_M
    aspect, steepness = np.radians(aspect_deg), np.tan(np.radians(slope_deg))
    fall = columns * np.sin(aspect) - rows * np.cos(aspect)  # metres towards the aspect
    return (1000 - steepness * fall)[None]


def make_ground(dem: np.ndarray, **maps: Any) -> dict[str, np.ndarray]:
    return {"dem": dem, "mask": np.zeros(dem.shape, np.uint8)} | maps


def classes_of(group: Group) -> set[str]:
    names, classes = group
    return {names[number] for number in np.unique(classes) if number != NO_CLASS}


# --------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize(
    ("slope_deg", "name"),
    [
        (0, "0 to 10 deg"),
        (9.9, "0 to 10 deg"),
        (10.1, "10 to 20 deg"),
        (25, "20 to 30 deg"),
        (30.1, "30 deg on"),
        (60, "30 deg on"),
    ],
)
@pytest.mark.parametrize("aspect_deg", [0, 77, 200])
def test_slope_class_does_not_depend_on_the_aspect(
    slope_deg: float, name: str, aspect_deg: float
) -> None:
    assert classes_of(make_groups(make_ground(tilt(slope_deg, aspect_deg)))["slope"]) == {name}


@pytest.mark.parametrize(
    ("aspect_deg", "expected"),
    [
        (258, ASCENDING),  # straight towards a radar that looks to 78
        (258 - 44, ASCENDING),
        (258 + 44, ASCENDING),
        (258 - 46, ACROSS),
        (258 + 46, ACROSS),
        (102, DESCENDING),  # straight towards a radar that looks to 282
        (102 - 44, DESCENDING),
        (102 + 44, DESCENDING),
        (102 - 46, ACROSS),
        (102 + 46, ACROSS),
        (0, ACROSS),
        (180, ACROSS),
        (90, DESCENDING),
        (270, ASCENDING),
    ],
)
def test_slope_faces_the_radar_that_it_falls_towards(aspect_deg: float, expected: int) -> None:
    names, classes = class_geometry(tilt(15, aspect_deg))
    assert np.unique(classes).tolist() == [expected]
    assert names == ("flat", "faces ascending", "faces descending", "across")


def test_gentle_slopes_are_flat_whatever_they_face() -> None:
    assert np.unique(class_geometry(tilt(4.9, 258))[1]).tolist() == [FLAT]
    assert np.unique(class_geometry(tilt(5.1, 258))[1]).tolist() == [ASCENDING]


def test_looks_are_those_of_the_twin_s_orbits() -> None:
    assert [orbit.tracks[0].look_deg for orbit in HOKKAIDO.orbits.values()] == list(
        LOOK_DEG.values()
    )


def test_pixels_beside_a_gap_have_a_class_of_their_own() -> None:
    dem = tilt(15, 258).round().astype(np.int16)
    dem[0, 3, 3] = NODATA
    groups = make_groups(make_ground(dem))
    for name in ("slope", "orbit geometry"):
        names, classes = groups[name]
        assert names[-1] == NO_HEIGHT
        beside = classes[0] == len(names) - 1
        assert beside[[2, 4, 3, 3], [3, 3, 2, 4]].all()
        assert beside.sum() <= 5


def test_class_without_heights_is_left_out_where_all_have_one() -> None:
    assert NO_HEIGHT not in make_groups(make_ground(tilt(15, 0)))["slope"][0]


def test_every_pixel_has_the_class_of_its_own_tile() -> None:
    two = np.concatenate([tilt(15, 258), tilt(15, 102)])
    classes = class_geometry(two)[1]
    assert [np.unique(tile).tolist() for tile in classes] == [[ASCENDING], [DESCENDING]]


def test_landslide_pixels_have_the_size_of_their_object() -> None:
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[0, :3, :3] = 1  # 9 px
    mask[0, 10:20, :1] = 1  # 10 px
    mask[0, 22:39, 2:39] = 1  # 629 px
    names, classes = make_groups(make_ground(tilt(5, 0, 40), mask=mask))[SIZE]
    assert names == SIZES
    assert classes[0, [0, 15, 30, 9], [0, 0, 20, 0]].tolist() == [0, 1, 3, NO_CLASS]
    assert np.array_equal(classes != NO_CLASS, mask == 1)


def test_land_cover_is_a_group_where_it_is_known() -> None:
    cover = np.arange(64).reshape(1, 8, 8) % 2
    ground = make_ground(tilt(5, 0), cover=cover, cover_names=np.array(["forest", "field"]))
    names, classes = make_groups(ground)["land cover"]
    assert names == ("forest", "field")
    assert np.array_equal(classes, cover)
    assert "land cover" not in make_groups(make_ground(tilt(5, 0)))


# ---------------------------------------------------------------------------------------- scores


def test_scores_are_those_of_the_class_s_pixels_alone(rng: np.random.Generator) -> None:
    probs = rng.choice(edges()[::50], (3, 16, 16)).astype(np.float32)
    mask = (rng.random(probs.shape) < 0.3).astype(np.uint8)
    classes = rng.integers(0, 3, probs.shape).astype(np.uint8)
    classes[0, 0] = NO_CLASS
    bins = to_bins(torch.from_numpy(probs)).numpy().astype(np.uint16)
    rows = score_groups(bins, mask, {"kind": (("a", "b", "c"), classes)}, 0.5)
    assert [(row.group, row.name) for row in rows] == [("kind", name) for name in "abc"]
    for number, row in enumerate(rows):
        own = classes == number
        labels, found = mask[own], probs[own] >= 0.5
        assert (row.pixels, row.landslide_px) == (own.sum(), labels.sum())
        expected = average_precision_score(labels, probs[own])
        assert row.average_precision == pytest.approx(expected, abs=1e-12)
        assert row.precision == precision_score(labels, found)
        assert row.recall == recall_score(labels, found)
        assert row.f1_dice == pytest.approx(f1_score(labels, found), abs=1e-15)


def test_scores_follow_from_a_hand_made_map() -> None:
    # class a: landslide found, landslide missed, false alarm; class b: background left alone
    bins = np.full((1, 2, 2), reach(0.1), np.uint16)
    bins[0, 0, 0] = bins[0, 1, 0] = reach(0.9)
    mask = np.array([[[1, 1], [0, 0]]], np.uint8)
    classes = np.array([[[0, 0], [0, 1]]], np.uint8)
    first, second = score_groups(bins, mask, {"kind": (("a", "b"), classes)}, 0.5)
    assert (first.pixels, first.landslide_px) == (3, 2)
    assert (first.precision, first.recall, first.f1_dice) == (1 / 2, 1 / 2, 1 / 2)
    # at 0.9: recall 1/2, precision 1/2; at 0.1: recall 1, precision 2/3
    assert first.average_precision == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 3)
    assert (second.pixels, second.landslide_px) == (1, 0)
    assert np.isnan([second.precision, second.recall, second.f1_dice]).all()
    assert np.isnan(second.average_precision)


def test_classes_of_size_have_a_recall_alone() -> None:
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[0, :3, :3] = 1
    mask[0, 22:39, 2:39] = 1
    bins = np.zeros(mask.shape, np.uint16)
    bins[0, 1] = reach(0.9)  # one row over the small one, and false alarms beside it
    groups = make_groups(make_ground(tilt(5, 0, 40), mask=mask))
    rows = [row for row in score_groups(bins, mask, groups, 0.5) if row.group == SIZE]
    assert [row.landslide_px for row in rows] == [9, 0, 0, 629]
    assert rows[0].recall == 1 / 3
    assert np.isnan(rows[1].recall)
    assert rows[3].recall == 0.0
    assert np.isnan([[row.precision, row.f1_dice, row.average_precision] for row in rows]).all()


def test_classes_of_a_group_share_out_all_pixels(rng: np.random.Generator) -> None:
    dem = np.cumsum(rng.normal(0, 3, (2, 16, 16)), axis=1)
    bins, mask = np.zeros(dem.shape, np.uint16), (rng.random(dem.shape) < 0.2).astype(np.uint8)
    rows = score_groups(bins, mask, make_groups(make_ground(dem, mask=mask)), 0.5)
    for group in ("slope", "orbit geometry"):
        assert sum(row.pixels for row in rows if row.group == group) == dem.size
        assert sum(row.landslide_px for row in rows if row.group == group) == mask.sum()


# -------------------------------------------------------------------------------------- bad input


def test_ground_without_heights_is_refused() -> None:
    with pytest.raises(ValueError, match="need dem and mask, but dem is missing"):
        make_groups({"mask": np.zeros((1, 4, 4), np.uint8)})


def test_land_cover_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match="but cover_names is missing"):
        make_groups(make_ground(tilt(5, 0), cover=np.zeros((1, 8, 8), np.uint8)))


def test_land_cover_that_no_name_fits_is_refused() -> None:
    maps = {"cover": np.full((1, 8, 8), 2), "cover_names": np.array(["forest", "field"])}
    with pytest.raises(ValueError, match="must have a name, but got class 2 with 2 names"):
        make_groups(make_ground(tilt(5, 0), **maps))


@pytest.mark.parametrize("shape", [(1, 8, 9), (8, 8), (0, 8, 8)])
def test_ground_of_other_shapes_is_refused(shape: tuple[int, ...]) -> None:
    dem = np.zeros((8, 8)) if len(shape) == 2 else np.zeros((shape[0], 8, 8))
    with pytest.raises(ValueError, match=r"must have one shape \(N, H, W\), but got"):
        make_groups({"dem": dem, "mask": np.zeros(shape, np.uint8)})


def test_bins_of_other_tiles_are_refused() -> None:
    groups = make_groups(make_ground(tilt(5, 0)))
    bins, mask = np.zeros((1, 8, 9), np.uint16), np.zeros((1, 8, 9), np.uint8)
    with pytest.raises(ValueError, match=r"Bins, mask and slope must have one shape, but got \(1"):
        score_groups(bins, mask, groups, 0.5)


def test_probabilities_and_other_labels_are_refused() -> None:
    groups, shape = make_groups(make_ground(tilt(5, 0))), (1, 8, 8)
    with pytest.raises(ValueError, match="integers from 0 to 65024, but got"):
        score_groups(np.zeros(shape, np.float32), np.zeros(shape, np.uint8), groups, 0.5)
    with pytest.raises(ValueError, match="alone, but got 2 to 2"):
        score_groups(np.zeros(shape, np.uint16), np.full(shape, 2, np.uint8), groups, 0.5)
