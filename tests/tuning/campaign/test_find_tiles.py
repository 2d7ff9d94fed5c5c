"""Tiles of the chosen regions, and where the times of their events come from."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.splits import survey_catalogue
from data.tiles import ORBITS, tile_path
from tests.support.settings import make_settings
from tuning.campaign.find_tiles import describe_events, find_tiles, survey_twin
from tuning.settings.presets import get_preset


def test_twin_is_surveyed_before_it_is_made() -> None:
    tiles, known = survey_twin(("hokkaido",)), survey_catalogue()
    assert set(tiles) == set(known)
    for tile_id, tile in tiles.items():
        place = (tile.west_m, tile.north_m, tile.annotated_px, tile.crs)
        same = known[tile_id]
        assert place == (same.west_m, same.north_m, same.annotated_px, same.crs)
    both = survey_twin(("hokkaido", "noto"))
    assert len(both) > len(tiles)
    assert {tile.crs for tile in both.values()} == {"EPSG:32653", "EPSG:32654"}


def test_folder_gives_the_tiles_of_the_chosen_regions(
    copy_tiles: Callable[[], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy_tiles()
    names = sorted(path.stem for path in (folder / "s1asc").glob("*.nc"))
    ids = sorted(name.replace("_s1asc", "") for name in names)
    for tile_id in ids[:8]:  # the same tiles under another region's name
        for orbit in ORBITS:
            copy = tile_path(folder, tile_id.replace("hokkaido", "noto"), orbit)
            shutil.copyfile(tile_path(folder, tile_id, orbit), copy)
    caplog.set_level("INFO")
    chosen = {}
    for regions in (("hokkaido",), ("noto",), ("hokkaido", "noto")):
        settings = make_settings(data=str(folder), regions=regions, preset="quick")
        chosen[regions] = find_tiles(tmp_path, settings, get_preset("quick"))[1]
    assert chosen["hokkaido",] == ids
    assert chosen["noto",] == sorted(tile.replace("hokkaido", "noto") for tile in ids[:8])
    assert chosen["hokkaido", "noto"] == sorted(chosen["hokkaido",] + chosen["noto",])
    assert "Regions: hokkaido (Eastern Iburi in Hokkaido in Japan), noto." in caplog.text


def test_event_of_each_region_is_named_with_its_source(pack: Pack) -> None:
    assert [text[:45] for text in describe_events(pack, {})] == [
        "Event of hokkaido: 2018-09-05T18:08:00 UTC, f"
    ]
    (given,) = describe_events(pack, {"hokkaido": "2018-09-05T18:08:00"})
    assert given == "Event of hokkaido: 2018-09-05T18:08:00 UTC, from --event."
    own, count = np.full(len(pack.tile_ids), np.datetime64("NaT", "s")), len(pack.tile_ids)
    silent = replace(pack, own_events=own)
    assert describe_events(silent, {})[0].endswith("UTC, from the catalogue.")
    own = own.copy()
    own[:3] = pack.events[:3]
    partly = replace(pack, own_events=own)
    ends = f"from event_date of 3 tiles and, for the {count - 3} tiles without one, the catalogue."
    assert describe_events(partly, {})[0].endswith(ends)
    unknown = tuple(tile.replace("hokkaido", "elsewhere") for tile in pack.tile_ids)
    other = replace(partly, tile_ids=unknown)
    assert describe_events(other, {})[0].endswith("without one, the most frequent event_date.")
    times = pack.events.copy()
    times[0] += np.timedelta64(86400, "s")
    several = replace(pack, events=times, own_events=times)
    sentence = f"2 times from 2018-09-05T18:08:00 to 2018-09-06T18:08:00 UTC, from event_date of {count} tiles."
    assert describe_events(several, {})[0].endswith(sentence)
