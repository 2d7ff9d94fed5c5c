from dataclasses import replace

import numpy as np
import pytest
import torch

from data.pack import Pack
from data.pack.augmentation import NO_AUGMENT, Augment
from data.pack.channels import CHANNELS, SAR_CHANNELS, select_even_steps, select_event_steps
from data.pack.dataset import TileDataset, check_input_varies
from data.pack.normalisation import Normalisation, make_normalisation
from data.splits import Split
from data.tiles import ORBITS

CPU = torch.device("cpu")


def serve(
    pack: Pack,
    split: Split,
    part: str = "train",
    timesteps: int = 4,
    channels: tuple[str, ...] = SAR_CHANNELS,
    steps: str = "even",
) -> TileDataset:
    norm = make_normalisation("train", pack, split.train, channels)
    return TileDataset(pack, split.part(part), norm, timesteps, CPU, steps)


def with_gap(pack: Pack) -> Pack:
    """Return the pack with its first five rows of s1asc VV without data."""
    bands = {name: np.array(values) for name, values in pack.bands.items()}
    bands["s1asc"][:, :, 0, :5] = np.nan
    moments = pack.moments.copy()
    moments[:, 0, 0] -= 15 * 5 * 128
    return replace(pack, bands=bands, moments=moments)


def test_train_batches_are_normalised(pack: Pack, split: Split) -> None:
    x = serve(pack, split, timesteps=15).batch(range(len(split.train))).x
    assert x.mean((0, 1, 3, 4)).abs().max() < 1e-3
    assert (x.std((0, 1, 3, 4)) - 1).abs().max() < 1e-3


def test_batch_holds_the_normalised_pixels_of_the_pack(pack: Pack, split: Split) -> None:
    names = ("s1asc:VH", "s1dsc:VV", "DEM", "slope")
    tiles = serve(pack, split, "val", 4, names)
    x = tiles.batch([1]).x[0]  # (T, C, H, W)
    row, steps = pack.rows(split.val)[1], select_even_steps(4)
    expected = [
        pack.bands["s1asc"][row, steps, 1],
        pack.bands["s1dsc"][row, steps, 0],
        np.broadcast_to(pack.dem[row], (4, 128, 128)),
        np.broadcast_to(pack.slope[row], (4, 128, 128)),
    ]
    for channel, values in enumerate(expected):
        norm = (values.astype(np.float64) - tiles.norm.mean[channel]) / tiles.norm.std[channel]
        np.testing.assert_allclose(x[:, channel], norm, atol=1e-5)


def test_no_data_becomes_the_mean(pack: Pack, split: Split) -> None:
    batch = serve(with_gap(pack), split).batch([0])
    assert (batch.x[0, :, 0, :5] == 0).all()
    assert torch.isfinite(batch.x).all()
    assert batch.x[0, :, 1, :5].any()


def test_height_without_data_becomes_the_mean(pack: Pack, split: Split) -> None:
    dem = np.array(pack.dem)
    dem[:, :3] = -9999
    moments = pack.moments.copy()
    moments[:, -2, 0] -= 3 * 128
    holed = replace(pack, dem=dem, moments=moments)
    x = serve(holed, split, channels=("s1asc:VV", "DEM")).batch([0]).x
    assert (x[0, :, 1, :3] == 0).all()
    assert x[0, :, 1, 3:].any()


def test_event_steps_select_each_orbit_s_nearest_dates(pack: Pack, split: Split) -> None:
    late = pack.times.copy()
    late[:, 0] += np.timedelta64(40, "D")  # the ascending series has fewer dates before the event
    tiles = serve(replace(pack, times=late), split, "test", 4, steps="event")
    row = pack.rows(split.test)[2]
    x = tiles.batch([2]).x[0]
    for number, orbit in enumerate(("s1asc", "s1dsc")):
        at = select_event_steps(late[row, number], 4, pack.events[row], orbit)
        values = pack.bands[orbit][row, at, 0].astype(np.float64)
        channel = 2 * number
        expected = (values - tiles.norm.mean[channel]) / tiles.norm.std[channel]
        np.testing.assert_allclose(x[:, channel], expected, atol=1e-5)
    first, second = (
        select_event_steps(late[row, n], 4, pack.events[row], ORBITS[n]) for n in (0, 1)
    )
    assert first != second


def test_dataset_of_the_first_image_after_the_event_reads_no_later_one(
    pack: Pack, split: Split
) -> None:
    tiles = serve(pack, split, steps="event")
    early = TileDataset(pack, split.train, tiles.norm, 4, CPU, "event", after=1)
    x, whole = early.batch(range(4)).x, tiles.batch(range(4)).x
    assert torch.equal(early.first_after, torch.full((4, 4), 2))
    assert torch.equal(x[:, :3], whole[:, :3])
    assert torch.equal(x[:, 3], whole[:, 2])
    assert not torch.equal(x[:, 3], whole[:, 3])
    both = TileDataset(pack, split.train, tiles.norm, 4, CPU, "event", after=2)
    assert torch.equal(both.batch(range(4)).x, whole)


def test_cut_batches_equal_the_dataset_of_the_first_image(pack: Pack, split: Split) -> None:
    tiles = serve(pack, split, steps="event")
    early = TileDataset(pack, split.train, tiles.norm, 4, CPU, "event", after=1)
    always = Augment(turn=0, cut=1.0)
    cut, plain = (
        next(some.shuffled(4, torch.Generator().manual_seed(0), augment)).x.clone()
        for some, augment in ((tiles, always), (early, NO_AUGMENT))
    )
    assert torch.equal(cut, plain)


def test_days_are_those_from_the_event_to_the_images_that_are_read(
    pack: Pack, split: Split
) -> None:
    tiles = serve(pack, split, "test", 4, steps="event")
    steps = pack.select_steps("event", 4)
    for position, row in enumerate(pack.rows(split.test)):
        times = np.take_along_axis(pack.times[row], steps[row], axis=1)
        days = (times - pack.events[row]) / np.timedelta64(1, "D")
        np.testing.assert_allclose(tiles.batch([position]).days[0], days.mean(axis=0), rtol=1e-5)
        assert (np.diff(tiles.batch([position]).days[0]) > 0).all()


def test_days_of_images_that_take_the_places_of_later_ones_are_unknown(
    pack: Pack, split: Split
) -> None:
    whole = serve(pack, split, steps="event")
    early = TileDataset(pack, split.train, whole.norm, 4, CPU, "event", after=1)
    cut = next(whole.shuffled(4, torch.Generator().manual_seed(0), Augment(turn=0, cut=1.0)))
    plain = next(early.shuffled(4, torch.Generator().manual_seed(0), NO_AUGMENT))
    assert early.batch(range(4)).days.isnan().tolist() == [[False, False, False, True]] * 4
    torch.testing.assert_close(cut.days, plain.days, equal_nan=True)
    order = torch.randperm(len(split.train), generator=torch.Generator().manual_seed(0))[:4]
    torch.testing.assert_close(plain.days[:, :3], whole.batch(order.tolist()).days[:, :3])


def test_days_of_an_acquisition_without_data_are_those_of_the_other_orbit(
    pack: Pack, split: Split
) -> None:
    row = int(pack.rows(split.train)[0])
    bands = {orbit: values.copy() for orbit, values in pack.bands.items()}
    bands["s1asc"][row, 0] = np.nan
    bands["s1asc"][row, 14] = bands["s1dsc"][row, 14] = np.nan
    moments = pack.moments.copy()
    moments[row, :, 0] -= 1
    gappy = replace(pack, bands=bands, moments=moments)
    days = serve(gappy, split, timesteps=15, steps="all").batch([0]).days[0]
    own = (pack.times[row, :, 0] - pack.events[row]) / np.timedelta64(1, "D")
    assert days[0] == pytest.approx(own[pack.modalities.index("s1dsc")], rel=1e-5)
    assert days.isnan().tolist() == [False] * 14 + [True]


def test_height_is_never_cut(pack: Pack, split: Split) -> None:
    tiles = serve(pack, split, channels=("s1asc:VV", "DEM"), steps="event")
    assert tiles.first_after.tolist() == [[2, 4]] * 4


def test_epoch_yields_every_tile_once(pack: Pack, split: Split) -> None:
    tiles = serve(pack, split)
    generator = torch.Generator().manual_seed(1)
    served = [(len(batch.x), int(batch.mask.sum())) for batch in tiles.shuffled(3, generator)]
    assert [size for size, _ in served] == [
        4
    ]  # a last batch of one tile is merged into the previous one
    assert sum(count for _, count in served) == pack.mask[pack.rows(split.train)].sum()


def test_batches_are_in_the_order_of_the_tiles(pack: Pack, split: Split) -> None:
    tiles = serve(pack, split)
    one = torch.cat([batch.x.clone() for batch in tiles.batches(3)])
    assert torch.equal(one, tiles.batch(range(4)).x)


def test_same_generator_state_gives_the_same_batches(pack: Pack, split: Split) -> None:
    everything = Augment(turn=1, crop=64, speckle=1.0, jitter=0.5, drop=0.3, cut=0.5)

    def first(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return next(serve(pack, split).shuffled(2, generator, everything)).x.clone()

    assert torch.equal(first(5), first(5))
    assert not torch.equal(first(5), first(6))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_preloaded_tiles_equal_the_packed_tiles(pack: Pack, split: Split, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    tiles = serve(pack, split)
    at = torch.device(device)
    moved = TileDataset(pack, split.train, tiles.norm, 4, at, preload=True)
    first, second = (
        [(batch.x.cpu().clone(), batch.mask.cpu()) for batch in some.shuffled(3, generator)]
        for some, generator in zip(
            (tiles, moved), (torch.Generator().manual_seed(2) for _ in range(2)), strict=True
        )
    )
    for (x, mask), (other, label) in zip(first, second, strict=True):
        assert torch.equal(mask, label)
        assert torch.allclose(x, other, atol=0.01)  # half precision, a thousandth of 8


def test_writing_to_a_batch_does_not_change_the_pack(pack: Pack, split: Split) -> None:
    before = np.array(pack.bands["s1asc"][:2])
    for batch in serve(pack, split).shuffled(2, torch.Generator(), NO_AUGMENT):
        batch.x.fill_(7.0)
    assert np.array_equal(pack.bands["s1asc"][:2], before)


def test_varying_input_is_accepted(pack: Pack, split: Split) -> None:
    check_input_varies(serve(pack, split, channels=CHANNELS[:4]))


def test_linear_power_clipped_as_if_it_were_db_is_refused(pack: Pack, split: Split) -> None:
    # The published study clips linear power to [-25, 5] "dB" and scales that to [0, 1].
    bands = {
        name: ((10 ** (values.astype(np.float32) / 10)).clip(-25, 5) + 25) / 30
        for name, values in pack.bands.items()
    }
    broken = replace(
        pack, bands={name: values.astype(np.float16) for name, values in bands.items()}
    )
    published = Normalisation(SAR_CHANNELS, (0.0,) * 4, (1.0,) * 4, "published")  # scaled already
    tiles = TileDataset(broken, split.train, published, 4, CPU)
    spread = tiles.batch(range(4)).x.std((0, 1, 3, 4))
    assert spread.max() < 0.01  # the study's own SAR channels: 0.001 to 0.005
    with pytest.raises(
        ValueError,
        match=r"must vary after normalisation, but s1asc:VV has .* 0\.00.*check the unit",
    ):
        check_input_varies(tiles)
