import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from data.io.seals import seal, sum_bytes
from data.pack import READER_CRASHED, Pack, load_pack, make_pack
from data.pack.file_format import MANIFEST
from data.tiles import BANDS, MODALITIES, ORBITS, TileError, open_tile, tile_path
from tests.support.hostile_files import Canary
from tests.support.optical import add_optical


def test_pack_holds_the_values_of_the_tile_file(twin: Path, pack: Pack) -> None:
    tile_id = pack.tile_ids[3]
    row = pack.rows([tile_id])[0]
    for number, orbit in enumerate(ORBITS):
        tile = open_tile(tile_path(twin, tile_id, orbit))
        # The release stores steps of 1/16 dB, which float16 holds exactly within +-50 dB.
        assert np.array_equal(pack.bands[orbit][row], tile.bands, equal_nan=True)
        assert np.array_equal(pack.mask[row], tile.mask)
        assert np.array_equal(pack.dem[row], tile.dem)
        assert (pack.times[row, number] == tile.times.astype("datetime64[s]")).all()


def test_moments_are_computed_from_the_tile_s_values(pack: Pack) -> None:
    layer = pack.bands["s1asc"][0, :, 1].astype(np.float64)
    assert pack.moments[0, 1] == pytest.approx([layer.size, layer.sum(), (layer**2).sum()])
    assert pack.channels[-2:] == ("DEM", "slope")
    assert pack.moments[0, -2, 1] == pytest.approx(pack.dem[0].sum())


def test_pack_is_reused_for_the_same_files(twin: Path, pack: Pack) -> None:
    before = (pack.path / "s1asc.f16").stat().st_mtime_ns
    again = make_pack(twin, pack.path.parent)
    assert again.path == pack.path
    assert (pack.path / "s1asc.f16").stat().st_mtime_ns == before


def test_pack_hash_changes_with_the_tiles(twin: Path, pack: Pack, tmp_path: Path) -> None:
    fewer = make_pack(twin, tmp_path, tile_ids=pack.tile_ids[:3])
    assert fewer.hash != pack.hash
    assert fewer.tile_ids == pack.tile_ids[:3]


def test_build_leaves_no_temporary_folder(pack: Pack) -> None:
    assert [path.name for path in pack.path.parent.iterdir()] == [pack.path.name]


def mark_rows(pack: Pack) -> None:
    """Change the values of a pack, with their checksums: they show which rows another pack copies from it."""
    marked = np.memmap(pack.path / "s1asc.f16", np.float16, "r+", shape=pack.bands["s1asc"].shape)
    marked += np.float16(1.0)
    marked.flush()
    manifest = json.loads((pack.path / MANIFEST).read_text())
    for row, tile in enumerate(pack.tile_ids):
        manifest["sums"][tile]["s1asc"] = sum_bytes([marked[row].tobytes()])
    (pack.path / MANIFEST).write_text(json.dumps(seal(manifest)))


def test_only_a_changed_or_added_tile_is_read_again(
    copy_tiles: Callable[[], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tiles, packs = copy_tiles(), tmp_path / "packs"
    ids = sorted(f"hokkaido_{file.stem.split('_')[-1]}" for file in (tiles / "s1asc").iterdir())
    first = make_pack(tiles, packs, tile_ids=ids[:-1])
    mark_rows(first)
    changed = tile_path(tiles, ids[0], "s1asc")
    changed.write_bytes(changed.read_bytes() + b"\0")  # the same NetCDF content in a different file
    with caplog.at_level(logging.INFO):
        second = make_pack(tiles, packs)
    assert f"Copying {len(ids) - 2} of {len(ids)} tiles from earlier packs." in caplog.text
    assert second.hash != first.hash
    assert second.tile_ids == tuple(ids)
    for place, tile in enumerate(ids):
        expected = open_tile(tile_path(tiles, tile, "s1asc")).bands + (
            tile not in (ids[0], ids[-1])
        )
        assert np.array_equal(second.bands["s1asc"][place], expected.astype(np.float16))


def test_removing_a_tile_builds_another_pack_without_reading_tiles(
    twin: Path, pack: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(pack.path, tmp_path / pack.path.name)
    with caplog.at_level(logging.INFO):
        fewer = make_pack(twin, tmp_path, tile_ids=pack.tile_ids[1:])
    assert "Copying 11 of 11 tiles from earlier packs." in caplog.text
    assert np.array_equal(fewer.bands["s1dsc"], pack.bands["s1dsc"][1:])
    assert np.array_equal(fewer.moments, pack.moments[1:])


def test_pack_excludes_an_unusable_tile_and_names_its_file(
    copy_tiles: Callable[[], Path],
    spoil: Callable[[Path, str, str], Path],
    tmp_path: Path,
    pack: Pack,
) -> None:
    tiles, bad = copy_tiles(), pack.tile_ids[0]
    path = spoil(tiles, bad, "s1dsc")
    packed = make_pack(tiles, tmp_path / "packs")
    assert bad not in packed.tile_ids
    assert path.name in packed.excluded[bad]
    assert load_pack(packed.path).excluded == packed.excluded
    fewer = make_pack(tiles, tmp_path / "packs", tile_ids=pack.tile_ids[:3])
    assert fewer.excluded == packed.excluded  # reasons are copied with the rows


def test_pack_stores_the_warnings_of_a_suspicious_tile(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, odd = copy_tiles(), pack.tile_ids[0]
    with netCDF4.Dataset(tile_path(tiles, odd, "s1asc"), "a") as file:
        file["VV"][3, :10] = np.nan
    packed = make_pack(tiles, tmp_path / "packs")
    assert list(packed.suspicious) == [odd]
    assert "data" in " ".join(packed.suspicious[odd])
    assert make_pack(tiles, tmp_path / "packs", tile_ids=[odd]).suspicious == packed.suspicious


def test_pack_excludes_a_tile_with_a_single_orbit(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, lone = copy_tiles(), pack.tile_ids[0]
    tile_path(tiles, lone, "s1asc").unlink()
    packed = make_pack(tiles, tmp_path / "packs")
    assert packed.excluded == {lone: "It lacks a file of s1asc or s1dsc."}
    descending = make_pack(tiles, tmp_path / "packs", modalities=("s1dsc",))
    assert lone in descending.tile_ids
    assert descending.modalities == ("s1dsc",)


def test_pack_refuses_orbits_on_different_grids(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, first = copy_tiles(), pack.tile_ids[0]
    with netCDF4.Dataset(tile_path(tiles, first, "s1dsc"), "a") as file:
        file["x"][:] = file["x"][:] + 20.0
    packed = make_pack(tiles, tmp_path / "packs")
    assert "grid" in packed.excluded[first]


def test_pack_of_three_modalities_has_56_channels_on_four_dates(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, ids = copy_tiles(), list(pack.tile_ids[:2])
    add_optical(tiles, ids)
    packed = make_pack(tiles, tmp_path / "packs", modalities=MODALITIES)
    assert packed.tile_ids == tuple(ids)
    assert set(packed.excluded) == set(pack.tile_ids[2:])  # they have no Sentinel-2 file
    assert len(packed.channels) == 4 + 10 + 2
    tile = open_tile(tile_path(tiles, ids[1], "s2"))
    assert packed.bands["s2"].shape == (2, 15, len(BANDS["s2"]), 128, 128)
    np.testing.assert_allclose(packed.bands["s2"][1], tile.bands, rtol=2**-11)  # float16
    assert packed.times.shape == (2, 3, 15)


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
        make_pack(tiles, tmp_path / "packs", units="dB")
    assert list((tmp_path / "packs").iterdir()) == []


def test_pack_refuses_a_full_disk(
    twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    # 12 tiles x (15 x 4 x 2 + 1 + 2 + 2) bytes x 128 x 128
    with pytest.raises(OSError, match=r"12 tiles needs 25 MB, but got 1 MB free in .*--root"):
        make_pack(twin, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_loading_refuses_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"A pack must be a folder with a manifest\.json, but got"
    ):
        load_pack(tmp_path)


def test_loading_refuses_a_damaged_or_older_pack(pack: Pack, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pack.path, tmp_path / "pack"))
    with (copy / "mask.u8").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=r"must have 196608 bytes, but got 196609 in .*mask\.u8"):
        load_pack(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    with pytest.raises(ValueError, match=r"must have format 7, but got 1 in .*Build it again"):
        load_pack(copy)
    assert "damaged" in READER_CRASHED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"modalities": ["../x"]},
            r"Modalities must be among s1asc, s1dsc, s2, in this order, but got \['\.\./x'\]",
        ),
        ({"modalities": ["s1dsc", "s1asc"]}, "Modalities must be among"),
        ({"modalities": ["s1asc", "s1asc"]}, "Modalities must be among"),
        ({"modalities": 7}, "tile_ids and modalities must be lists"),
        ({"tile_ids": []}, "tile_ids and modalities must be lists"),
        ({"tile_ids": ["$x$"]}, r"A tile id must look like hokkaido_579, but got '\$x\$'"),
        ({"tile_ids": [{}]}, "A tile id must look like"),
        ({"tile_ids": ["hokkaido_1"] * 12}, "A pack must contain each tile once"),
        (
            {"hash": "../../x"},
            r"A pack's hash must be unchanged since it was built, but got '\.\./\.\./x'",
        ),
        ({"synthetic": "no"}, "A pack's synthetic must be"),
        ({"seed": 1e99}, "A pack's seed must be"),
        ({"digests": []}, "A pack's digests must be"),
        ({"excluded": {"a": 1}}, "A pack's excluded must be"),
        ({"suspicious": {"a": "b"}}, "A pack's suspicious must be"),
        ({"crs": [7]}, "A pack's crs must be"),
        ({"inputs": "../x"}, "A pack's inputs must be"),
        ({"sums": {"a": 1}}, "A pack's sums must be"),
        ({"events": 1}, "A pack's events must be"),
        ({"units": "m"}, "A pack's units must be"),
        ({"synthetic": False}, "A pack's manifest must have its own checksum, but got another"),
        ({"events": "0"}, "A pack's manifest must have its own checksum"),
        ({"crs": ["EPSG:32654"]}, "A pack's manifest must have its own checksum"),
    ],
)
def test_loading_refuses_an_invalid_manifest(
    pack: Pack, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    copy = Path(shutil.copytree(pack.path, tmp_path / "pack"))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | changes))
    with pytest.raises(ValueError, match=f"{message}.*Delete the pack's folder"):
        load_pack(copy)


def test_loading_refuses_tables_of_another_type(pack: Pack, tmp_path: Path) -> None:
    copy, canary = Path(shutil.copytree(pack.path, tmp_path / "pack")), tmp_path / "canary"
    np.save(copy / "moments.npy", np.array([Canary(canary)], dtype=object))
    with pytest.raises(ValueError, match=r"must be an \.npy file without pickled objects"):
        load_pack(copy)
    assert not canary.exists()
    np.save(copy / "times.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"must be datetime64\[s\] of shape \(12, 2, 15\)"):
        load_pack(copy)
    (copy / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="must not be nested deeply"):
        load_pack(copy)
