"""A window of acquisitions: so many before each tile's event, and so many after it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS, check_choice, check_steps
from data.pack.dataset import TileDataset
from data.pack.normalisation import make_normalisation
from data.pack.placebo import find_placebo_tiles, make_placebo_pack
from data.pack.profile import measure_profile
from data.pack.reader import PackReader
from data.splits import Split

CPU = torch.device("cpu")


def late_event(pack: Pack, after: int) -> Pack:
    """Return the pack with all events so late that each series has so many acquisitions after it."""
    times = pack.times[:, :, -after - 1].max(axis=1)
    assert (pack.times[:, :, -after].min(axis=1) > times).all()
    return replace(pack, events=times)


def test_windows_of_more_acquisitions_after_the_event_read_the_same_before_it(pack: Pack) -> None:
    shortest = pack.select_steps("pre:4/post:1", 5)
    for after in range(2, 8):
        chosen = pack.select_steps(f"pre:4/post:{after}", 4 + after)
        times = np.take_along_axis(pack.times, chosen, axis=2)
        assert (chosen[..., :4] == shortest[..., :4]).all()
        assert ((times > pack.events[:, None, None]).sum(axis=2) == after).all()


def test_what_a_side_lacks_has_no_day(pack: Pack, split: Split) -> None:
    late = late_event(pack, 2)
    norm = make_normalisation("train", late, split.train, SAR_CHANNELS)
    tiles = TileDataset(late, split.train, norm, 6, CPU, "pre:2/post:4")
    batch = tiles.batch([0, 1])
    assert torch.isfinite(batch.days[:, :4]).all()
    assert torch.isnan(batch.days[:, 4:]).all()
    assert torch.equal(batch.x[:, 3], batch.x[:, 4])
    assert torch.equal(batch.x[:, 3], batch.x[:, 5])


def test_a_window_as_long_as_the_series_still_repeats_what_is_missing(pack: Pack) -> None:
    late = late_event(pack, 2)
    reader = PackReader(late, SAR_CHANNELS, 15, "pre:5/post:10")
    out = torch.empty(reader.shape)
    reader.read(0, out)
    for place in range(7, 15):
        assert torch.equal(out[place], out[6])
    assert torch.equal(out[0, 0], torch.from_numpy(late.bands["s1asc"][0, 8, 0]).float())


def test_a_profile_tells_how_many_acquisitions_are_after_the_event(
    pack: Pack, split: Split
) -> None:
    profile = measure_profile(pack, split.train, SAR_CHANNELS, "pre:4/post:2", 6, cut=True)
    assert profile.after == {"s1asc": 2, "s1dsc": 2}
    assert profile.least_after == {"s1asc": 1, "s1dsc": 1}
    assert all(len(days) == 6 for days in profile.offsets.values())


def test_a_placebo_is_read_in_the_same_window(pack: Pack) -> None:
    ids = find_placebo_tiles(pack, pack.tile_ids, "pre:4/post:2", 6).used
    placebo = make_placebo_pack(pack, ids, "pre:4/post:2", 6)
    chosen = placebo.select_steps("pre:4/post:2", 6)
    times = np.take_along_axis(placebo.times, chosen, axis=2)
    assert ((times > placebo.events[:, None, None]).sum(axis=2) == 2).all()


@pytest.mark.parametrize(
    ("steps", "timesteps", "message"),
    [
        ("pre:4/post:2", 5, r"window pre:4/post:2 has 6 acquisitions, but got timesteps=5\. Set"),
        ("pre:all/post:2", 6, r"has two numbers, .* but got 'pre:all/post:2'\. What 'all' are"),
        ("pre:04/post:2", 6, r"has two numbers, such as pre:4/post:2, but got 'pre:04/post:2'"),
        ("pre:4", 4, r"A window is pre:K/post:K, .* but got 'pre:4'"),
        ("pre:9/post:9", 18, r"A tile has 15 acquisitions, but got timesteps=18"),
        ("evn", 4, r"Unknown choice of steps 'evn'\. Did you mean 'even'"),
    ],
)
def test_other_windows_are_refused(steps: str, timesteps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_steps(steps, timesteps)


def test_a_window_of_two_numbers_is_a_choice() -> None:
    check_choice("pre:4/post:2")
    check_steps("pre:4/post:2", 6)
