from dataclasses import replace

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.baseline_scores import predict_tiles, score_on_val
from tests.support.hand_packs import VV, put_by_hand, read_all
from tuning.baselines.tile_means import NO_DATA_DB, describe_tile


def test_probe_sees_means_dates_and_counts(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    hand.bands["s1asc"][0, 0, 0, 0, 0] = -60  # 25 px: the mean is -12
    hand.bands["s1asc"][0, 1] = np.nan
    seen = describe_tile(read_all(hand, [VV]), "a").tolist()
    assert seen[:4] == [-12, NO_DATA_DB, -6, -4]
    assert seen[4:15] == [-4] * 11  # repeats
    assert seen[15:19] == [-18, -6, 6, 18]
    assert seen[30:] == [4, 2, 11, 1]  # images, those before the event, repeats, tracks


def test_every_pixel_of_a_tile_has_the_same_probability(pack: Pack, split: Split) -> None:
    maps = predict_tiles("tile_means", pack, split, split.test)
    assert all(np.unique(tile).size == 1 for tile in maps)
    assert np.unique(maps).size > 1


def test_where_pixels_move_inside_a_tile_the_probe_does_not_see_it(
    pack: Pack, split: Split
) -> None:
    bands = {orbit: values[..., ::-1, ::-1] for orbit, values in pack.bands.items()}
    turned = replace(pack, bands=bands)
    known, same = (predict_tiles("tile_means", one, split, split.test) for one in (pack, turned))
    np.testing.assert_allclose(same, known, atol=1e-6)


def test_dates_that_depend_on_the_label_raise_its_score(pack: Pack, split: Split) -> None:
    times, annotated = pack.times.copy(), pack.mask.any(axis=(1, 2))
    times[annotated, :, 0] -= np.timedelta64(60, "D")  # annotated tiles begin earlier
    blind = {orbit: np.zeros_like(values) for orbit, values in pack.bands.items()}
    clean, leaky = (
        score_on_val("tile_means", replace(pack, bands=blind, times=dates), split)
        for dates in (pack.times, times)
    )
    chance = pack.mask[pack.rows(split.val)].mean()
    assert clean == pytest.approx(chance, rel=0.1)
    assert leaky > 1.5 * chance
