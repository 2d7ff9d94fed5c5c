"""A window's numbers are counted in the tiles before anything is trained."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.values.window import parse_window
from tests.support.settings import make_settings
from tuning.campaign import window as module
from tuning.campaign.window import count_sides, find_short, fit_window, settle_window
from tuning.settings.saved_campaigns import keep_acquisitions, load_settings, save_settings

S1 = ("s1asc", "s1dsc")


def shorten(pack: Pack, tiles: int) -> Pack:
    """Return the pack with the images after the event of some tiles all one: the first of them, repeated."""
    times = pack.times.copy()
    for row in range(tiles):
        for series in times[row]:
            late = series > pack.events[row]
            series[late] = series[late][0]
    return replace(pack, times=times)


def counts(pack: Pack) -> tuple[module.SideCounts, ...]:
    return count_sides(pack, S1)


def test_all_is_the_number_that_the_tiles_have_on_each_side(pack: Pack) -> None:
    before = min((pack.times <= pack.events[:, None, None]).sum(axis=2).min(), 15)
    fitted = fit_window(parse_window("pre:all/post:all"), counts(pack))
    assert (fitted.pre, fitted.post) == (before, 15 - before)


def test_all_before_the_event_is_the_same_for_every_number_after_it(pack: Pack) -> None:
    some = counts(pack)
    found = {fit_window(parse_window(f"pre:all/post:{k}"), some).pre for k in range(1, 8)}
    assert len(found) == 1


def test_repeated_images_count_once(pack: Pack) -> None:
    some = counts(shorten(pack, len(pack.tile_ids)))
    assert all((one.counts[1] == 1).all() for one in some)
    assert fit_window(parse_window("pre:2/post:all"), some).post == 1


def test_few_short_tiles_repeat_images_and_are_named(pack: Pack) -> None:
    fewest = len(pack.tile_ids) - int(np.ceil(0.95 * len(pack.tile_ids)))
    some = counts(shorten(pack, fewest))
    fitted = fit_window(parse_window("pre:4/post:3"), some)
    assert find_short(fitted, some) == sorted(pack.tile_ids[:fewest])


def test_more_than_the_tiles_have_is_refused_with_the_most_possible(pack: Pack) -> None:
    some = counts(pack)
    most = fit_window(parse_window("pre:all/post:all"), some)
    with pytest.raises(
        ValueError,
        match=rf"pre:2/post:9 reads 9 acquisitions after the event, which 95% of the tiles .* have fewer of s1asc: "
        rf"\w+ \(7\), .* At most {most} is possible",
    ):
        fit_window(parse_window("pre:2/post:9"), some)


def test_a_side_without_acquisitions_is_refused(pack: Pack) -> None:
    early = replace(pack, events=pack.times.max(axis=(1, 2)))
    with pytest.raises(ValueError, match=r"reads 1 acquisitions after .* Leave --window out"):
        fit_window(parse_window("pre:2/post:all"), counts(early))


def test_the_region_that_has_fewest_decides(pack: Pack) -> None:
    half = len(pack.tile_ids) // 2
    names = [t.replace("hokkaido", "italy") if i < half else t for i, t in enumerate(pack.tile_ids)]
    mixed = replace(shorten(pack, half), tile_ids=tuple(names))
    assert fit_window(parse_window("pre:2/post:all"), counts(mixed)).post == 1
    with pytest.raises(ValueError, match=r"of italy have fewer of s1asc"):
        fit_window(parse_window("pre:2/post:2"), counts(mixed))


def test_a_campaign_keeps_what_was_counted(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "pack_tiles", lambda root, settings: pack)
    settings = make_settings(window="pre:all/post:2", steps="pre:all/post:2", timesteps=15)
    save_settings(tmp_path, settings)
    with caplog.at_level(logging.INFO):
        settled = settle_window(tmp_path, settings)
    assert (settled.steps, settled.timesteps) == ("pre:8/post:2", 10)
    assert "Window pre:all/post:2: pre:8/post:2" in caplog.text
    assert load_settings(tmp_path, settings.campaign) == settled


def test_a_campaign_that_has_begun_is_not_counted_again(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(window="pre:all/post:2", steps="pre:all/post:2", timesteps=15)
    save_settings(tmp_path, settings)
    kept = replace(settings, steps="pre:3/post:2", timesteps=5)
    keep_acquisitions(tmp_path, kept)
    monkeypatch.setattr(module, "read_inputs", lambda folder: object())
    assert settle_window(tmp_path, settings) == kept


def test_settings_without_a_window_stay(tmp_path: Path) -> None:
    settings = make_settings()
    assert settle_window(tmp_path, settings) is settings
    assert not any(tmp_path.iterdir())
