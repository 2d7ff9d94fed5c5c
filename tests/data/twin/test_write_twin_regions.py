"""One folder holds the tiles of one or more regions, and its manifest names them."""

import json
from pathlib import Path

import pytest

from data.tiles import list_tiles, open_tile, tile_path
from data.tiles.paths import list_regions
from data.twin import MANIFEST, make_twin
from data.twin.__main__ import main
from data.twin.write_twin import select_sites


def test_hokkaido_is_the_default_region() -> None:
    assert {site.region for site in select_sites(2018, "harmonized")} == {"hokkaido"}
    assert len(select_sites(2018, "harmonized")) == 290


@pytest.mark.parametrize(
    ("regions", "count"), [(["noto"], 72), (["hokkaido", "noto"], 362), (["all"], 362)]
)
def test_named_regions_are_written_whole(regions: list[str], count: int) -> None:
    assert len(select_sites(2018, "harmonized", regions=regions)) == count


def test_one_folder_holds_tiles_of_both_regions(tmp_path: Path) -> None:
    chosen = ["hokkaido_1006", "noto_16"]
    folder = make_twin(tmp_path, tile_ids=chosen, progress=False)
    assert list_tiles(folder) == chosen
    assert list_regions(folder) == {"hokkaido": 1, "noto": 1}
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["synthetic"], manifest["regions"]) == (True, ["hokkaido", "noto"])
    tiles = [open_tile(tile_path(folder, tile_id, "s1asc")) for tile_id in chosen]
    assert [tile.crs for tile in tiles] == ["EPSG:32654", "EPSG:32653"]
    assert all(tile.synthetic for tile in tiles)


def test_unknown_region_is_named_with_the_nearest_and_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--to", str(tmp_path), "--region", "notto"]) == 2
    expected = "Unknown region 'notto'. Did you mean 'noto'? Available: hokkaido, noto, all."
    assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
