from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack, load_pack, make_pack
from data.rows import SAR_CHANNELS
from data.tiles import ORBITS, TileError, open_tile, tile_path


def test_unpacking_gives_the_tile_back(twin: Path, pack: Pack) -> None:
    tile_id = pack.tile_ids[3]
    for number, orbit in enumerate(ORBITS):
        tile = open_tile(tile_path(twin, tile_id, orbit))
        row = pack.rows([tile_id])[0]
        channels = [c for c, name in enumerate(SAR_CHANNELS) if name.startswith(orbit)]
        packed = pack.x[row][:, channels]
        # The release stores steps of 1/16 dB, which float16 holds exactly within +-50 dB.
        assert np.array_equal(packed, tile.backscatter, equal_nan=True)
        assert np.array_equal(pack.mask[row], tile.mask)
        assert np.array_equal(pack.dem[row], tile.dem)
        assert (pack.times[row, number] == tile.times.astype("datetime64[s]")).all()


def test_pack_moments_are_the_tiles_own(pack: Pack) -> None:
    layer = pack.x[0, :, 1].astype(np.float64)
    assert pack.moments[0, 1] == pytest.approx([layer.size, layer.sum(), (layer**2).sum()])


def test_pack_is_reused_for_the_same_files(twin: Path, pack: Pack) -> None:
    before = (pack.path / "x.f16").stat().st_mtime_ns
    again = make_pack(twin, pack.path.parent, synthetic=True)
    assert again.path == pack.path
    assert (pack.path / "x.f16").stat().st_mtime_ns == before


def test_pack_hash_changes_with_the_tiles(twin: Path, pack: Pack, tmp_path: Path) -> None:
    fewer = make_pack(twin, tmp_path, synthetic=True, tile_ids=pack.tile_ids[:3])
    assert fewer.hash != pack.hash
    assert fewer.tile_ids == pack.tile_ids[:3]


def test_pack_leaves_nothing_aside(pack: Pack) -> None:
    assert [path.name for path in pack.path.parent.iterdir()] == [pack.path.name]


def test_pack_excludes_an_unusable_tile_by_name(
    copy_tiles: Callable[[], Path],
    spoil: Callable[[Path, str, str], Path],
    tmp_path: Path,
    pack: Pack,
) -> None:
    tiles, bad = copy_tiles(), pack.tile_ids[0]
    path = spoil(tiles, bad, "s1dsc")
    packed = make_pack(tiles, tmp_path / "packs", synthetic=True)
    assert bad not in packed.tile_ids
    assert path.name in packed.excluded[bad]
    assert load_pack(packed.path).excluded == packed.excluded


def test_pack_names_a_tile_with_one_orbit_only(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, lone = copy_tiles(), pack.tile_ids[0]
    tile_path(tiles, lone, "s1asc").unlink()
    packed = make_pack(tiles, tmp_path / "packs", synthetic=True)
    assert packed.excluded == {lone: "It has one orbit direction only."}


def test_pack_refuses_orbits_on_different_grids(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, (first, second) = copy_tiles(), pack.tile_ids[:2]
    other = tile_path(tiles, second, "s1dsc").read_bytes()
    tile_path(tiles, first, "s1dsc").write_bytes(other)
    packed = make_pack(tiles, tmp_path / "packs", synthetic=True)
    assert "must lie on one grid" in packed.excluded[first]


def test_pack_refuses_a_folder_without_a_usable_tile(
    copy_tiles: Callable[[], Path],
    spoil: Callable[[Path, str, str], Path],
    tmp_path: Path,
    pack: Pack,
) -> None:
    tiles = copy_tiles()
    for tile in pack.tile_ids:
        spoil(tiles, tile, "s1asc")
    with pytest.raises(TileError, match="at least one usable tile, but got none of 12"):
        make_pack(tiles, tmp_path / "packs", synthetic=True)
    assert list((tmp_path / "packs").iterdir()) == []


def test_loading_refuses_a_folder_that_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder with a manifest\.json, but got"):
        load_pack(tmp_path)
