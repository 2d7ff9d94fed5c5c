"""Errors in train labels: what each kind does to hand-made maps, and that nothing else changes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.object_maps import cut_tiles, draw_blobs, draw_map
from tuning.objects.label_noise import (
    LabelNoise,
    disturb,
    label_train,
    make_label_noise,
    parse_label_noise,
)
from tuning.objects.mosaic import isolate
from tuning.objects.objects import label_objects


def apply(mask: np.ndarray, **noise: Any) -> np.ndarray:
    ids = [f"hokkaido_{number}" for number in range(len(mask))]
    return disturb(mask, ids, isolate(len(mask)), LabelNoise(**noise))


def count(mask: np.ndarray) -> int:
    return len(label_objects(mask)[1]) - 1


def draw_dots() -> np.ndarray:
    """Draw 100 landslides of one pixel, far from each other and from the border."""
    mask = np.zeros((4, 110, 110), np.uint8)
    mask[:, 15:100:20, 15:100:20] = 1
    assert count(mask) == 100
    return mask


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_of_landslides_is_dropped_whole(share: float) -> None:
    mask = draw_dots()
    assert count(apply(mask, drop=share)) == round(100 * (1 - share))
    _, blobs = draw_blobs(np.random.default_rng(0))
    labels, areas = label_objects(blobs)
    left = apply(blobs, drop=share)
    kept = np.bincount(labels[left > 0], minlength=len(areas))
    assert set(kept[1:] / areas[1:]) == {0.0, 1.0}
    assert not left[blobs == 0].any()


def test_a_smaller_share_drops_landslides_that_a_larger_drops_too() -> None:
    small, large = (apply(draw_dots(), drop=share) for share in (0.2, 0.5))
    assert (large <= small).all()


def test_each_landslide_is_moved_as_far_in_a_direction_of_its_own() -> None:
    mask = draw_dots()
    tile, row, column = np.nonzero(mask)
    moved = apply(mask, shift=5.0)
    assert count(moved) == 100
    steps = set()
    for t, r, c in zip(tile, row, column, strict=True):
        ((down, right),) = np.argwhere(moved[t, r - 7 : r + 8, c - 7 : c + 8]) - 7
        assert abs(np.hypot(down, right) - 5) < 0.8  # whole pixels
        steps.add((down, right))
    assert len(steps) > 15
    assert abs(np.mean(list(steps), axis=0)).max() < 1.5  # to all sides


def test_a_moved_landslide_keeps_its_shape_and_loses_what_leaves_the_tile() -> None:
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[0, 28:34, 30:33] = 1
    moved = apply(mask, shift=9.0)
    rows, columns = np.nonzero(moved[0])
    assert (np.ptp(rows), np.ptp(columns), len(rows)) == (5, 2, 18)
    gone = np.zeros((1, 64, 64), np.uint8)
    gone[0, 0, :] = 1
    assert apply(gone, shift=20.0).sum() < 64


def test_growth_and_shrinkage_are_in_eight_directions() -> None:
    mask = draw_map(".....", ".....", "..x..", ".....", ".....").astype(np.uint8)
    grown = draw_map(".....", ".xxx.", ".xxx.", ".xxx.", ".....")
    assert np.array_equal(apply(mask, dilate=1), grown)
    assert np.array_equal(apply(grown.astype(np.uint8), dilate=-1), mask)
    assert not apply(mask, dilate=-1).any()  # a thin one vanishes
    full = np.ones((1, 8, 8), np.uint8)
    assert np.array_equal(apply(full, dilate=-2), full)  # it goes on beyond the tile
    beside = np.stack([full[0], 0 * full[0]])
    assert not apply(beside, dilate=1)[1].any()  # never into another tile


def test_a_landslide_over_a_border_is_dropped_in_both_tiles() -> None:
    field = np.zeros((64, 64), np.uint8)
    field[20:44, 10] = field[20:44, 30] = field[20:44, 50] = 1  # each in an upper and a lower tile
    mask = cut_tiles(field, 2, 1)[:, :32, :64]
    around = np.full((2, 8), -1)
    around[0, 6], around[1, 1] = 1, 0  # south of the first, north of the second
    left = disturb(mask, ["hokkaido_1", "hokkaido_2"], around, LabelNoise(drop=0.34))
    assert np.array_equal(left[0].any(axis=0), left[1].any(axis=0))
    assert left[0].any(axis=0).sum() == 2


def test_what_happens_depends_on_the_noise_s_seed_and_the_tiles_alone() -> None:
    mask = draw_dots()
    noise = {"drop": 0.4, "shift": 3.0}
    assert np.array_equal(apply(mask, **noise), apply(mask, **noise))
    assert not np.array_equal(apply(mask, **noise), apply(mask, **noise, seed=1))
    order = [2, 0, 3, 1]
    ids = [f"hokkaido_{number}" for number in order]
    other = disturb(mask[order], ids, isolate(4), LabelNoise(**noise))
    assert np.array_equal(other, apply(mask, **noise)[order])


def test_only_the_labels_of_train_change(pack: Pack, split: Split) -> None:
    stored = np.array(pack.mask)
    noisy = label_train(pack, split.train, {"drop": 0.5, "shift": 2.0})
    changed = (noisy != stored).any(axis=(1, 2))
    assert changed.any()
    assert {pack.tile_ids[row] for row in np.flatnonzero(changed)} <= set(split.train)
    assert np.array_equal(pack.mask, stored)
    assert noisy.dtype == pack.mask.dtype
    assert label_train(pack, split.train, {}) is pack.mask


def test_noise_that_leaves_no_landslide_is_refused_with_the_numbers(
    pack: Pack, split: Split
) -> None:
    mask = np.zeros_like(pack.mask)
    mask[:, 60, 60:70] = 1
    thin = replace(pack, mask=mask)
    message = (
        r"--label-noise dilate=-2 must leave .* leaves none of the 40 in 4 train tiles\. Lower"
    )
    with pytest.raises(ValueError, match=message):
        label_train(thin, split.train, {"dilate": -2})


def test_words_are_parsed_and_written_again() -> None:
    noise = parse_label_noise(["drop=0.2", "shift=2", "dilate=-1", "seed=7"])
    assert noise == LabelNoise(0.2, 2.0, -1, 7)
    assert parse_label_noise(str(noise).split()) == make_label_noise(noise.to_entry()) == noise
    assert not parse_label_noise(["none"])
    assert str(parse_label_noise([])) == "none"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dorp=1", r"Unknown label noise 'dorp'\. Did you mean 'drop'\? Available: drop, shift, "),
        ("drop", r"needs a number from 0 to 0\.95, such as drop=0\.2, but got 'drop'\."),
        ("dilate=0.5", r"needs a whole number from -16 to 16, .* but got 'dilate=0\.5'\."),
        ("drop=1", r"noise drop must be a number from 0 to 0\.95, but got 1\.0\."),
        ("drop=nan", r"noise drop must be a number from 0 to 0\.95, but got nan\."),
        ("shift=65", r"noise shift must be a number from 0 to 64, but got 65\.0\."),
        ("seed=-1", r"noise seed must be a whole number from 0 to 4294967295, but got -1\."),
        ("seed=1", r"needs drop, shift or dilate, but got seed=1 alone\. Add one of them\."),
    ],
)
def test_unknown_noise_is_refused(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_label_noise([word])
