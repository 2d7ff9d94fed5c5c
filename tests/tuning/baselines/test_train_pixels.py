import numpy as np
import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.splits import Split
from tests.support.hand_packs import VV
from tuning.baselines.inputs import Inputs
from tuning.baselines.learning import PIXELS
from tuning.baselines.train_pixels import check_labels, read_sample, sample_pixels


def test_sample_preserves_the_share_of_landslides(rng: np.random.Generator) -> None:
    mask = (rng.random((3, 100, 100)) < 0.1).astype(np.uint8)
    chosen = sample_pixels(mask, 3000, rng)
    assert abs(int(chosen.sum()) - 3000) <= 1
    assert mask[chosen].mean() == pytest.approx(mask.mean(), abs=1e-3)
    assert sample_pixels(mask, 10**6, rng).all()  # all pixels


def test_sample_is_drawn_by_its_seed_alone(pack: Pack) -> None:
    tiles = pack.tile_ids[:2]
    alone = read_sample(Inputs(pack, [VV], "all", 15), PIXELS, tiles, 500, 2)
    many = Inputs(pack, [VV], "all", 15, seeds=(1, 2))
    together = [read_sample(many, PIXELS, tiles, 500, seed) for seed in (1, 2)]
    assert np.array_equal(together[1].features, alone.features)
    assert np.array_equal(together[1].labels, alone.labels)
    assert not np.array_equal(together[0].features, alone.features)


def test_all_seeds_are_read_in_one_pass(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, tiles = Inputs(pack, [VV], "all", 15, seeds=(1, 2, 3)), pack.tile_ids[:2]
    read_sample(inputs, PIXELS, tiles, 500, 1)
    monkeypatch.setattr(Inputs, "series", None)  # nothing is read again
    for seed in (2, 3, 1):
        assert len(read_sample(inputs, PIXELS, tiles, 500, seed).labels) == 500


def test_sample_pairs_each_pixel_with_its_label(pack: Pack) -> None:
    tiles, inputs = pack.tile_ids[:3], Inputs(pack, [VV], "all", 15)
    sample = read_sample(inputs, PIXELS, tiles, 10**6, 0)
    order = np.random.default_rng(0).permutation(len(sample.labels))
    whole = np.concatenate([PIXELS.make(inputs, tile).reshape(-1, 7) for tile in tiles])
    assert np.array_equal(sample.features, whole[order])
    assert np.array_equal(sample.labels, (pack.mask[pack.rows(tiles)].ravel() == 1)[order])


def test_the_first_pixels_of_a_sample_are_of_all_tiles(pack: Pack) -> None:
    sample = read_sample(Inputs(pack, SAR_CHANNELS, "all", 15), PIXELS, pack.tile_ids, 20_000, 0)
    assert sample.labels[:4000].mean() == pytest.approx(sample.labels.mean(), abs=0.03)


@pytest.mark.parametrize(("label", "count"), [(0, 0), (1, 9)])
def test_pixels_of_one_class_are_refused(split: Split, label: int, count: int) -> None:
    message = (
        f"needs landslide and background pixels .* got {count} landslide pixels among 9 .* 'blocks'"
    )
    with pytest.raises(ValueError, match=message):
        check_labels(np.full(9, label == 1), split)
