from dataclasses import replace

import numpy as np
import pytest
import torch

from data.dataset import Tiles, log_ratio, measure_norm, pick_steps, turn
from data.pack import Pack
from data.rows import CHANNELS, SAR_CHANNELS
from data.splits import Split
from data.tiles import EVENT

CPU = torch.device("cpu")


def serve(pack: Pack, split: Split, part: str = "train", timesteps: int = 4) -> Tiles:
    norm = measure_norm(pack, split.train, SAR_CHANNELS)
    return Tiles(pack, split.part(part), norm, timesteps, CPU)


def test_four_steps_are_the_published_ones() -> None:
    assert pick_steps(4) == [0, 5, 9, 14]
    assert pick_steps(15) == list(range(15))


@pytest.mark.parametrize("timesteps", [0, 16])
def test_steps_stay_within_the_acquisitions(timesteps: int) -> None:
    with pytest.raises(ValueError, match=f"15 acquisitions, but got timesteps={timesteps}"):
        pick_steps(timesteps)


def test_norm_comes_from_train_alone(pack: Pack, split: Split) -> None:
    norm = measure_norm(pack, split.train, SAR_CHANNELS)
    layers = pack.x[pack.rows(split.train)].astype(np.float64)
    assert norm.mean == pytest.approx(layers.mean((0, 1, 3, 4)))
    assert norm.std == pytest.approx(layers.std((0, 1, 3, 4)))
    assert norm.mean != pytest.approx(measure_norm(pack, split.test, SAR_CHANNELS).mean, abs=1e-6)


def test_norm_refuses_a_constant_channel(pack: Pack, split: Split) -> None:
    flat = pack.moments.copy()
    flat[:, 1] = [10.0, -100.0, 1000.0]  # ten pixels of -10 dB: no variance
    with pytest.raises(ValueError, match=r"must vary over the train tiles, but s1asc:VH has"):
        measure_norm(replace(pack, moments=flat), split.train, SAR_CHANNELS)


def test_norm_refuses_an_unknown_channel(pack: Pack, split: Split) -> None:
    with pytest.raises(ValueError, match=r"Unknown channel 's1asc:VX'\. Did you mean 's1asc:V"):
        measure_norm(pack, split.train, ["s1asc:VX"])


def test_train_batches_are_normalised(pack: Pack, split: Split) -> None:
    x = serve(pack, split, timesteps=15).batch(range(len(split.train))).x
    assert x.mean((0, 1, 3, 4)).abs().max() < 1e-3
    assert (x.std((0, 1, 3, 4)) - 1).abs().max() < 1e-3


def test_no_data_becomes_the_mean(pack: Pack, split: Split) -> None:
    x = np.array(pack.x)
    x[:, 0, 0, :5] = np.nan
    batch = serve(replace(pack, x=x), split).batch([0])
    assert (batch.x[0, 0, 0, :5] == 0).all()
    assert torch.isfinite(batch.x).all()


def test_channels_are_served_in_the_order_of_the_norm(pack: Pack, split: Split) -> None:
    names = ["DEM", "s1dsc:VH"]
    norm = measure_norm(pack, split.train, names)
    x = Tiles(pack, split.train, norm, 2, CPU).batch([1]).x[0]
    row = pack.rows(split.train)[1]
    dem = (pack.dem[row] - norm.mean[0]) / norm.std[0]
    backscatter = (pack.x[row, 14, 3].astype(np.float32) - norm.mean[1]) / norm.std[1]
    assert x.shape == (2, 2, 128, 128)
    assert np.allclose(x[0, 0], dem, atol=1e-2)  # float16 holds heights to 0.25 m
    assert np.allclose(x[1, 1], backscatter, atol=1e-4)
    assert CHANNELS[-1] == "DEM"


def test_every_tile_is_served_once_an_epoch(pack: Pack, split: Split) -> None:
    tiles = serve(pack, split)
    generator = torch.Generator().manual_seed(1)
    batches = list(tiles.shuffled(3, generator, augment=False))
    assert [len(batch.x) for batch in batches] == [4]  # a lone last tile joins the batch before
    assert (
        sum(int(batch.mask.sum()) for batch in batches) == pack.mask[pack.rows(split.train)].sum()
    )


def test_same_generator_serves_the_same_batches(pack: Pack, split: Split) -> None:
    def first() -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        return next(serve(pack, split).shuffled(2, generator, augment=True)).x

    assert torch.equal(first(), first())


def test_turning_moves_mask_and_input_alike() -> None:
    mask = torch.arange(16, dtype=torch.uint8).view(1, 4, 4).repeat(8, 1, 1)
    x = mask[:, None, None].repeat(1, 3, 2, 1, 1).float()
    turned, moved = turn(x, mask, torch.arange(8))
    assert torch.equal(turned[:, 1, 1], moved.float())
    assert len({tuple(layer.flatten().tolist()) for layer in moved}) == 8
    assert torch.equal(moved[0], mask[0])
    assert torch.equal(mask[0], torch.arange(16, dtype=torch.uint8).view(4, 4))


def test_log_ratio_is_after_minus_before(pack: Pack, split: Split) -> None:
    tile = split.test[0]
    row = pack.rows([tile])[0]
    changes = []
    for orbit, channel in ((0, 0), (1, 2)):
        series, after = pack.x[row, :, channel].astype(np.float64), pack.times[row, orbit] > EVENT
        changes.append(series[after].mean(0) - series[~after].mean(0))
    assert np.allclose(log_ratio(pack, [tile])[0], np.mean(changes, axis=0), atol=1e-4)


def test_log_ratio_rises_on_landslides(pack: Pack, split: Split) -> None:
    change, mask = log_ratio(pack, split.test), pack.mask[pack.rows(split.test)]
    assert change[mask == 1].mean() > change[mask == 0].mean() + 0.5
