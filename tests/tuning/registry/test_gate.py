"""The checks of the gate, each with a program that passes and one that fails, on windows of the tiny twin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from data.pack import Pack
from data.pack.channels import choose_channels
from data.splits import Split
from tests.support.tile_files import EVENT
from tuning.registry.gate import (
    CHECKS,
    MAX_ALARMS,
    MAX_FALL,
    MAX_SHARE,
    MIN_AGREEMENT,
    MIN_LOSS,
    GateCheck,
    Program,
    run_gate_checks,
)
from tuning.registry.gate_file import GATE_FILE, read_gate_tiles, write_gate_tiles
from tuning.registry.gate_tiles import MAX_BYTES, WINDOW_PX, GateTiles, make_gate_tiles
from tuning.registry.model_card import (
    CARD_TAGS,
    NOT_MEASURED,
    PASSED,
    describe_gate,
    format_gate,
    make_card,
    make_gate_tags,
)

S1 = choose_channels(["s1"])
CARD = dict.fromkeys(CARD_TAGS, "0") | {"data": "synthetic", "regions": "hokkaido"}
FIRST = 2  # of the made-up series' four acquisitions after the event
RISE_DB = 4.0
DAYS = np.array([[-13, -1, 11, 23], [-13, -1, 11, 23]], np.float32)


@pytest.fixture
def tiles() -> GateTiles:
    """Two tiles of two channels: landslides rise by 4 dB in the first and fall by 2 dB in the second."""
    rng = np.random.default_rng(0)
    x = rng.normal(-12, 0.5, (2, 4, 2, WINDOW_PX, WINDOW_PX)).astype(np.float32)
    mask = np.zeros((2, WINDOW_PX, WINDOW_PX), np.uint8)
    mask[:, 5:20, 30:60] = 1
    x[:, FIRST:, 0] += RISE_DB * mask[:, None]
    x[:, FIRST:, 1] -= 2 * mask[:, None]
    placebo = rng.normal(-12, 0.5, x.shape).astype(np.float32)
    after = np.full((2, 2), FIRST)
    return GateTiles(x, x[:, FIRST - 1], mask, after, placebo, DAYS, DAYS)


def see_change(x: Tensor) -> Tensor:
    """Answer the change of the first channel, as a good network does."""
    change = x[:, FIRST:, 0].mean(1) - x[:, :FIRST, 0].mean(1)
    return torch.sigmoid(2 * (change - RISE_DB / 2))


def outcomes(program: Program, tiles: GateTiles, threshold: float = 0.5) -> dict[str, GateCheck]:
    def answer(x: np.ndarray, days: np.ndarray) -> np.ndarray:
        assert days.shape == x.shape[:2]
        probs: np.ndarray = program(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        return probs

    return {check.name: check for check in run_gate_checks(answer, tiles, threshold)}


def failed(program: Program, tiles: GateTiles) -> set[str]:
    return {name for name, check in outcomes(program, tiles).items() if not check.passed}


def test_program_that_reads_dates_is_checked_with_those_of_the_tiles(tiles: GateTiles) -> None:
    def see_change_by_date(x: np.ndarray, days: np.ndarray) -> np.ndarray:
        late = (days > 0)[..., None, None]
        change = np.where(late, x[:, :, 0], -x[:, :, 0]).sum(1) / 2
        probs: np.ndarray = 1 / (1 + np.exp(-2 * (change - RISE_DB / 2)))
        return probs

    assert all(check.passed for check in run_gate_checks(see_change_by_date, tiles, 0.5))
    undated = replace(tiles, days=-abs(tiles.days))
    found = {check.name: check for check in run_gate_checks(see_change_by_date, undated, 0.5)}
    assert not found["time"].passed


def test_program_that_detects_change_passes_every_check(tiles: GateTiles) -> None:
    found = outcomes(see_change, tiles)
    assert tuple(found) == CHECKS
    assert all(check.passed for check in found.values())
    assert found["flips"].value == pytest.approx(1)
    assert found["flips"].limit == MIN_AGREEMENT
    # Without change 0.02, with it 0.98, with twice it 1.
    assert found["direction"].value == pytest.approx(0.02, abs=0.02)
    assert found["direction"].limit == -MAX_FALL
    assert found["no_change"].value == 0
    assert found["no_change"].limit == MAX_SHARE
    assert (found["placebo"].value, found["placebo"].limit) == (0, MAX_ALARMS)
    assert found["time"].value == pytest.approx(1, abs=0.01)
    assert found["time"].limit == MIN_LOSS
    assert (
        "correlation is 1.000 (the lowest of 3 flips); the minimum is 0.8."
        in found["flips"].sentence
    )
    assert " without the change, 0.97" in found["direction"].sentence
    assert (
        "0.00 % of the pixels reach the threshold 0.500; at most 1 % may"
        in found["no_change"].sentence
    )
    assert (
        "0.00 % of the pixels reach the threshold 0.500; at most 3 %" in found["placebo"].sentence
    )
    assert "0.000 instead of 0.97" in found["time"].sentence
    assert "it must be lower by 35 %." in found["time"].sentence


def test_positional_output_fails_the_flips(tiles: GateTiles) -> None:
    place = torch.linspace(0, 1, WINDOW_PX).expand(WINDOW_PX, WINDOW_PX)
    assert "flips" in failed(lambda x: place.expand(len(x), -1, -1), tiles)
    assert "flips" in failed(lambda x: (see_change(x) + 3 * place) / 4, tiles)


@pytest.mark.parametrize("axis", [-1, -2])
def test_one_flip_alone_is_enough_to_fail(tiles: GateTiles, axis: int) -> None:
    ramp = torch.linspace(0, 1, WINDOW_PX)
    place = ramp[None, :] if axis == -1 else ramp[:, None]
    found = failed(lambda x: (see_change(x) + 3 * place) / 4, tiles)
    assert found - {"time"} == {"flips", "no_change", "placebo"}  # a quarter is left of the change


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_constant_output_fails_the_flips(tiles: GateTiles, value: float) -> None:
    check = outcomes(lambda x: torch.full((len(x), *x.shape[-2:]), value), tiles)["flips"]
    assert (check.passed, check.value) == (False, 0.0)


def test_program_that_detects_the_opposite_change_fails_the_direction(tiles: GateTiles) -> None:
    def reverse(x: Tensor) -> Tensor:
        return see_change(x.flip(1))

    check = outcomes(reverse, tiles)["direction"]
    assert not check.passed
    assert check.value < -MAX_FALL
    assert "flips" not in failed(lambda x: 1 - see_change(x), tiles)
    assert failed(lambda x: 1 - see_change(x), tiles) == set(CHECKS) - {"flips"}


def test_program_that_misses_strong_change_fails_the_direction(tiles: GateTiles) -> None:
    """It finds the landslides as they are, but not at twice their change."""

    def narrow(x: Tensor) -> Tensor:
        change = x[:, FIRST:, 0].mean(1) - x[:, :FIRST, 0].mean(1)
        return torch.exp(-((change - RISE_DB) ** 2) / 2)

    check = outcomes(narrow, tiles)["direction"]
    assert failed(narrow, tiles) == {"direction"}
    assert check.value < -0.5


def test_program_that_detects_brightness_fails_without_change(tiles: GateTiles) -> None:
    bright = replace(tiles, before=tiles.before + RISE_DB)  # a field that was bright all along
    check = outcomes(lambda x: torch.sigmoid(2 * (x[:, -1, 0] + 10)), bright)["no_change"]
    assert not check.passed
    assert check.value > 0.9
    assert outcomes(see_change, bright)["no_change"].value == 0


def test_program_that_sees_a_season_fails_the_placebo(tiles: GateTiles) -> None:
    """Leaves come out between the early images, everywhere; between the later ones nothing happens."""
    spring = tiles.placebo + np.linspace(0, 4, 4, dtype=np.float32)[None, :, None, None, None]
    check = outcomes(see_change, replace(tiles, placebo=spring))["placebo"]
    assert failed(see_change, replace(tiles, placebo=spring)) == {"placebo"}
    assert check.value > 0.5


@pytest.mark.parametrize("measure", [lambda x: x.mean(1), lambda x: x.std(1) * 4 - 12])
def test_program_that_ignores_the_order_of_dates_fails_the_time(
    tiles: GateTiles, measure: Program
) -> None:
    """It finds the landslides, by their mean brightness or by any change at all."""
    check = outcomes(lambda x: torch.sigmoid(2 * (measure(x)[:, 0] + 10.5)), tiles)["time"]
    assert not check.passed
    assert check.value == pytest.approx(0, abs=1e-5)
    assert "correlate by 1.000" in check.sentence


def test_placebo_that_no_campaign_stored_is_not_measured_and_fails_nothing(
    tiles: GateTiles,
) -> None:
    bare = replace(tiles, placebo=tiles.placebo[:0])
    check = outcomes(see_change, bare)["placebo"]
    assert check.passed is None
    assert np.isnan(check.value)
    assert check.sentence.endswith("not measured, since the campaign stored no such series.")
    checks = list(outcomes(see_change, bare).values())
    tags = make_gate_tags(checks)
    assert (tags["gate_placebo"], tags["gate"]) == (NOT_MEASURED, PASSED)
    assert format_gate(tags) == "passed (placebo not measured)"
    assert f"- not measured: {check.sentence}" in make_card("m", 1, CARD, checks)


def test_gate_of_an_earlier_release_names_what_it_did_not_measure() -> None:
    tags = {
        "gate": "failed: flips",
        "gate_flips": "0",
        "gate_direction": "0",
        "gate_no_change": "0",
    }
    assert format_gate(tags) == "failed: flips (placebo, time not measured)"
    assert format_gate({}) == "not run"
    every = {f"gate_{name}": "0.1" for name in CHECKS}
    assert format_gate({**every, "gate": PASSED}) == PASSED


def test_a_passed_gate_says_what_it_tested() -> None:
    every = {f"gate_{name}": "0.1" for name in CHECKS}
    assert describe_gate({**every, "gate": PASSED}) == (
        "passed: flipped input, stronger change, no change, no event, reversed time"
    )
    earlier = {"gate": PASSED, "gate_flips": "1", "gate_direction": "0", "gate_no_change": "0"}
    assert describe_gate(earlier) == (
        "passed (placebo, time not measured): flipped input, stronger change, no change"
    )
    assert describe_gate({**every, "gate": "failed: time"}) == "failed: time"
    assert describe_gate({}) == "not run"


def test_share_without_change_is_of_the_pixels_at_the_threshold(tiles: GateTiles) -> None:
    def corner(x: Tensor) -> Tensor:
        probs = torch.zeros(len(x), *x.shape[-2:])
        probs[:, :16, :8] = 0.4  # 128 of 4096 px
        return probs

    values = [outcomes(corner, tiles, at)["no_change"].value for at in (0.4, 0.5)]
    assert values == pytest.approx([128 / 4096, 0], abs=1e-6)


def test_nan_passes_no_check(tiles: GateTiles) -> None:
    nothing = torch.full((WINDOW_PX, WINDOW_PX), float("nan"))
    names = failed(lambda x: nothing.expand(len(x), -1, -1), tiles)
    assert names == set(CHECKS)


def test_output_of_another_shape_is_refused(tiles: GateTiles) -> None:
    with pytest.raises(ValueError, match=r"must return probabilities \(B, H, W\), but got"):
        run_gate_checks(lambda x, days: np.zeros((len(x), 1, *x.shape[-2:])), tiles, 0.5)


def test_change_is_scaled_in_landslides_after_the_event_alone(tiles: GateTiles) -> None:
    twice = tiles.scale_change(2)
    added = twice - tiles.x
    slides = tiles.mask > 0
    assert (added[:, :FIRST] == 0).all()
    assert (added[:, FIRST:].transpose(0, 3, 4, 1, 2)[~slides] == 0).all()
    after = added[:, FIRST:].transpose(0, 3, 4, 1, 2)[slides]
    assert after[..., 0].mean() == pytest.approx(RISE_DB, abs=0.05)
    assert after[..., 1].mean() == pytest.approx(-2, abs=0.05)
    gone = replace(tiles, x=tiles.scale_change(0))
    assert np.allclose(gone.scale_change(2), gone.x, atol=1e-4)  # nothing is left to double
    assert np.array_equal(tiles.scale_change(1), tiles.x)


def test_gaps_stay_gaps_and_spoil_no_mean(tiles: GateTiles) -> None:
    x = tiles.x.copy()
    x[:, :, 0, :10] = np.nan
    x[0, :, 1] = np.nan  # a channel without any data
    twice = replace(tiles, x=x).scale_change(2)
    assert np.array_equal(np.isnan(twice), np.isnan(x))
    added = (twice - x)[1, FIRST:, 0, 12:18, 32:50]
    assert added.mean() == pytest.approx(RISE_DB, abs=0.1)


def test_tiles_are_the_val_tiles_with_most_landslides(pack: Pack, split: Split) -> None:
    tiles = make_gate_tiles(pack, split.val, S1, 4, "even")
    amount = pack.mask[pack.rows(split.val)].sum(axis=(1, 2), dtype=np.int64)
    assert len(tiles.x) == (amount > 0).sum() < len(split.val)
    assert tiles.x.shape[1:] == (15, 4, WINDOW_PX, WINDOW_PX)
    inside = tiles.mask.sum(axis=(1, 2), dtype=np.int64)
    assert (inside >= np.sort(amount)[::-1][: len(inside)] / 4).all()  # of four quarters, the best
    assert (inside > 0).all()


def test_first_acquisition_after_the_event_is_each_orbit_s_own(pack: Pack, split: Split) -> None:
    channels = choose_channels(["s1", "DEM", "slope"])
    tiles = make_gate_tiles(pack, split.val, channels, 4, "even")
    row = max(pack.rows(split.val), key=lambda row: int(pack.mask[row].sum()))
    for at, name in enumerate(channels):
        if name in ("DEM", "slope"):
            assert (tiles.after[:, at] == 15).all()
            assert (tiles.scale_change(3)[:, :, at] == tiles.x[:, :, at]).all()
            assert (tiles.freeze()[:, 3, at] == tiles.x[:, 0, at]).all()
        else:
            orbit = pack.modalities.index(name.split(":")[0])
            assert tiles.after[0, at] == np.searchsorted(pack.times[row, orbit], EVENT, "right")
            last = tiles.x[0, tiles.after[0, at] - 1, at]
            assert np.array_equal(tiles.before[0, at], last)


def test_event_input_holds_its_own_acquisitions(pack: Pack, split: Split) -> None:
    whole = make_gate_tiles(pack, split.val, S1, 4, "even")
    near = make_gate_tiles(pack, split.val, S1, 4, "event")
    assert near.x.shape[1] == 4
    assert (near.after == 2).all()
    first = whole.after[0, 0]
    assert np.array_equal(near.x[0, :, 0], whole.x[0, first - 2 : first + 2, 0])
    assert np.array_equal(near.before, whole.before)


def test_one_acquisition_after_the_event_still_has_one_before(pack: Pack, split: Split) -> None:
    tiles = make_gate_tiles(pack, split.val, S1, 1, "event")
    assert (tiles.after == 0).all()
    assert not np.array_equal(tiles.freeze(), tiles.x)
    assert (np.abs(tiles.scale_change(2) - tiles.x) > 0).any()


def test_one_orbit_s_band_is_enough(pack: Pack, split: Split) -> None:
    tiles = make_gate_tiles(pack, split.val, ("s1dsc:VH",), 15, "all")
    every = make_gate_tiles(pack, split.val, S1, 15, "all")
    assert np.array_equal(tiles.x[:, :, 0], every.x[: len(tiles.x), :, 3])


def test_file_contains_the_tiles(pack: Pack, split: Split, tmp_path: Path) -> None:
    channels = choose_channels(["s1", "DEM"])
    tiles = make_gate_tiles(pack, split.val, channels, 4, "even")
    (file,) = write_gate_tiles(pack, split.val, channels, 4, "even", tmp_path)
    assert file == tmp_path / GATE_FILE
    assert file.stat().st_size < MAX_BYTES
    again = read_gate_tiles(file)
    for name in ("x", "before", "mask", "after", "placebo"):
        assert np.array_equal(getattr(again, name), getattr(tiles, name)), name
    assert again.x.dtype == again.before.dtype == np.float32


def test_file_of_an_earlier_release_has_no_placebo(
    pack: Pack, split: Split, tmp_path: Path
) -> None:
    (file,) = write_gate_tiles(pack, split.val, S1, 4, "even", tmp_path)
    with np.load(file) as arrays:
        later = ("placebo", "days", "placebo_days")
        old = {name: arrays[name] for name in arrays.files if name not in later}
    np.savez(file, **old)
    again = read_gate_tiles(file)
    assert again.placebo.shape == (0, *again.x.shape[1:])
    assert np.isnan(again.days).all()
    assert again.days.shape == again.x.shape[:2]
    np.savez(file, days=again.days[:, :3], **old)
    with pytest.raises(ValueError, match=r"A gate must have equal arrays.*days of another size"):
        read_gate_tiles(file)
    np.savez(file, placebo=old["x"][:, :3], **old)
    with pytest.raises(ValueError, match=r"A gate must have equal arrays.*placebo of another size"):
        read_gate_tiles(file)


@pytest.mark.parametrize(
    ("steps", "timesteps"), [("even", 4), ("event", 2), ("all", 15), ("pre:3/post:1", 4)]
)
def test_placebo_windows_are_of_the_same_place_before_the_event(
    pack: Pack, split: Split, steps: str, timesteps: int
) -> None:
    tiles = make_gate_tiles(pack, split.val, S1, timesteps, steps)
    assert tiles.placebo.shape == tiles.x.shape
    every = make_gate_tiles(pack, split.val, S1, 15, "all")
    for window in range(len(tiles.x)):
        first = every.after[window]
        for channel in range(len(S1)):
            early = every.x[window, : first[channel], channel]
            for image in tiles.placebo[window, :, channel]:
                assert (image == early).all(axis=(1, 2)).any()


def test_tile_with_too_few_early_images_has_no_placebo(pack: Pack, split: Split) -> None:
    events = np.array(pack.events)
    rows = pack.rows(split.val)
    richest = max(rows, key=lambda row: int(pack.mask[row].sum()))
    events[richest] = pack.times[richest].min(axis=1).max()
    some = make_gate_tiles(replace(pack, events=events), split.val, S1, 4, "even")
    assert len(some.placebo) == len(some.x) - 1
    events[rows] = pack.times[rows].min(axis=2).max(axis=1)
    none = make_gate_tiles(replace(pack, events=events), split.val, S1, 4, "even")
    assert none.placebo.shape == (0, *none.x.shape[1:])


def test_pickled_file_is_not_read(tmp_path: Path) -> None:
    spoilt = {name: np.array([{"a": 1}], dtype=object) for name in ("x", "before")}
    np.savez(tmp_path / GATE_FILE, mask=np.zeros(1), after=np.zeros(1), **spoilt)
    with pytest.raises(ValueError, match=r"must be an \.npz file without pickled objects"):
        read_gate_tiles(tmp_path / GATE_FILE)


def test_val_without_a_landslide_writes_nothing_and_warns(
    pack: Pack, split: Split, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = [tile for tile in split.val if not pack.mask[pack.rows([tile])].any()]
    assert write_gate_tiles(pack, empty, S1, 4, "even", tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    assert "No model of this campaign can be promoted. A gate needs a val tile" in caplog.text


def test_tile_that_was_first_seen_after_the_event_is_left_out(pack: Pack, split: Split) -> None:
    late = pack.times.copy()
    rows = pack.rows(split.val)
    richest = max(rows, key=lambda row: int(pack.mask[row].sum()))
    late[richest, 0] += np.timedelta64(4000, "D")
    kept = make_gate_tiles(replace(pack, times=late), split.val, S1, 4, "even")
    every = make_gate_tiles(pack, split.val, S1, 4, "even")
    assert np.array_equal(kept.mask, every.mask[1:])
