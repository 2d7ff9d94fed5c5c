"""A pack of some regions of a folder, and what it says about the others."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import make_pack
from data.pack.tile_row import TileRequest, TileRow
from data.tiles import ORBITS, TileError, tile_path
from data.tiles.regions import read_regions
from tests.support.tile_files import make_dataset, write


def test_unpaired_tiles_of_regions_that_nobody_chose_are_not_reported(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    first, second = sorted((tiles / "s1asc").iterdir())[:2]
    shutil.copyfile(first, tiles / "s1asc" / "noto_s1asc_1.nc")
    tile_path(tiles, second.stem.replace("_s1asc", ""), "s1dsc").unlink()
    pack = make_pack(tiles, tmp_path / "packs", tile_ids=[first.stem.replace("_s1asc", "")])
    assert list(pack.excluded) == [second.stem.replace("_s1asc", "")]


@pytest.fixture
def mixed_regions(tmp_path: Path) -> Path:
    """Return a folder with two real tiles and a synthetic one, in two regions."""
    for orbit in ORBITS:
        dataset = make_dataset(orbit).assign_attrs(event_date="2018-09-05")
        write(dataset, tmp_path / "tiles", orbit, 1, "chile")
        write(dataset, tmp_path / "tiles", orbit, 1, "noto")
        write(dataset.assign_attrs(synthetic="twin"), tmp_path / "tiles", orbit, 2, "noto")
    return tmp_path / "tiles"


def test_a_synthetic_tile_is_never_packed_as_real(mixed_regions: Path, tmp_path: Path) -> None:
    with pytest.raises(TileError, match=r"noto_2 is the synthetic .* another tile of the folder"):
        make_pack(mixed_regions, tmp_path / "packs", tile_ids=["noto_2"])
    for orbit in ORBITS:
        tile_path(mixed_regions, "noto_1", orbit).unlink()
    with pytest.raises(TileError, match=r"noto_s1asc_2\.nc is the synthetic .* and s1asc/chile_"):
        make_pack(mixed_regions, tmp_path / "packs", tile_ids=["noto_2"])


def test_the_event_is_that_of_the_file_that_names_one(tmp_path: Path) -> None:
    for orbit, attributes in (("s1asc", {}), ("s1dsc", {"event_date": "2018-07-01"})):
        write(make_dataset(orbit).assign_attrs(attributes), tmp_path, orbit, 1, "chile")
    _, row = TileRequest(tmp_path, ORBITS, "dB", ("chile_1",), 0).read("chile_1")
    assert isinstance(row, TileRow)
    assert row.event == np.datetime64("2018-07-01T23:59:59")
    assert any(text.startswith("The event dates differ") for text in row.warnings)


def test_a_given_event_outside_the_acquisitions_is_refused(
    mixed_regions: Path, tmp_path: Path
) -> None:
    for orbit in ORBITS:
        tile_path(mixed_regions, "noto_2", orbit).unlink()
    with pytest.raises(ValueError, match=r"--event must lie within the acquisitions of chile"):
        make_pack(mixed_regions, tmp_path / "packs", events={"": np.datetime64("1990-01-01", "s")})


def test_a_new_event_in_the_catalogue_makes_a_new_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for orbit in ORBITS:
        write(make_dataset(orbit), tmp_path / "tiles", orbit)
    before = make_pack(tmp_path / "tiles", tmp_path / "packs")
    later = np.datetime64("2018-09-10T00:00:00")
    changed = {"hokkaido": replace(read_regions()["hokkaido"], event=later)}
    for module in ("data.pack.build", "data.tiles.events"):
        monkeypatch.setattr(f"{module}.read_regions", lambda: changed)
    after = make_pack(tmp_path / "tiles", tmp_path / "packs")
    assert after.hash != before.hash
    assert after.events.tolist() == [later.astype("M8[s]").item()]
