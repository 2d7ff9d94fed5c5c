import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.pack import Pack, make_pack
from data.tiles import ORBITS, TileError, list_tiles, tile_path
from data.tiles.manifest import describe_origin, read_manifest
from data.twin import make_twin
from tests.support.tile_files import unmark


def test_the_twin_is_synthetic(twin: Path) -> None:
    manifest = read_manifest(twin)
    assert (manifest.synthetic, manifest.units) == (True, "dB")
    assert str(manifest).startswith(
        f"Data: SYNTHETIC (the twin's) tiles in {twin} (harmonized rele"
    )


def test_raw_release_is_linear_power(tmp_path: Path, pack: Pack) -> None:
    raw = make_twin(tmp_path, version="raw", tile_ids=list(pack.tile_ids[:1]), progress=False)
    assert read_manifest(raw).units == "linear"
    (raw / "twin.json").unlink()
    assert read_manifest(raw).units == "linear"  # guessed from the files
    assert read_manifest(raw, "dB").units == "dB"  # the argument wins


@pytest.fixture
def real_tiles(copy_tiles: Callable[[], Path]) -> Path:
    tiles = copy_tiles()
    for path in tiles.rglob("*.nc"):
        unmark(path)
    return tiles


def test_fetched_tiles_are_real(real_tiles: Path) -> None:
    content = {"synthetic": False, "version": "harmonized", "repo": "a/b", "revision": "0" * 40}
    (real_tiles / "fetch.json").write_text(json.dumps(content))
    text = str(read_manifest(real_tiles))
    assert text.startswith(
        f"Data: real tiles in {real_tiles} (harmonized release, a/b at 0000000000,"
    )
    assert text.endswith("backscatter in dB).")
    assert describe_origin(synthetic=False) == "real"


def test_tiles_without_a_manifest_or_a_mark_are_real(real_tiles: Path) -> None:
    manifest = read_manifest(real_tiles)
    assert (manifest.synthetic, manifest.origin, manifest.units) == (False, "no manifest", "dB")


def test_the_twin_s_tiles_stay_synthetic_without_their_manifest(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    assert read_manifest(tiles).synthetic
    assert make_pack(tiles, tmp_path / "packs").synthetic


def test_a_manifest_that_calls_synthetic_tiles_real_is_refused(
    copy_tiles: Callable[[], Path],
) -> None:
    tiles = copy_tiles()
    (tiles / "fetch.json").write_text('{"synthetic": false, "version": "harmonized"}')
    with pytest.raises(
        ValueError, match=r"fetch\.json says that they are real, .* twin's\. Delete"
    ):
        read_manifest(tiles)


def test_a_mixture_of_synthetic_and_real_tiles_is_refused(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    last = list_tiles(tiles)[-1]
    for orbit in ORBITS:
        unmark(tile_path(tiles, last, orbit))
    with pytest.raises(
        TileError, match=rf"all real or all synthetic, but \w+ .* and {last} is real"
    ):
        make_pack(tiles, tmp_path / "packs")
    unmark(tile_path(tiles, list_tiles(tiles)[0], "s1dsc"))
    with pytest.raises(TileError, match=r"s1asc/\w+\.nc is the synthetic twin's and s1dsc/\w+\.nc"):
        read_manifest(tiles)


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"version": "cooked", "synthetic": false}'])
def test_a_manifest_without_its_keys_is_refused(copy_tiles: Callable[[], Path], text: str) -> None:
    tiles = copy_tiles()
    (tiles / "fetch.json").write_text(text)
    with pytest.raises(
        ValueError,
        match=r"manifest must have the keys version and synthetic, .*fetch\.json\. Make or",
    ):
        read_manifest(tiles)


def test_unit_is_guessed_from_the_first_readable_file(
    copy_tiles: Callable[[], Path], spoil: Callable[[Path, str, str], Path], pack: Pack
) -> None:
    tiles = copy_tiles()
    for tile in pack.tile_ids:
        spoil(tiles, tile, "s1asc")
    assert read_manifest(tiles).units == "dB"
    for tile in pack.tile_ids:
        spoil(tiles, tile, "s1dsc")
    assert read_manifest(tiles).units == "dB"  # each tile is refused by its own error later


def test_an_empty_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder s1asc/"):
        read_manifest(tmp_path)
    for orbit in ORBITS:
        (tmp_path / orbit).mkdir()
    with pytest.raises(FileNotFoundError, match=r"s1asc"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "7",
        '{"version": ["raw"], "synthetic": true}',
        '{"version": "raw", "synthetic": "no"}',
        '{"version": "raw", "synthetic": true, "seed": "x"}',
        '{"version": "raw", "synthetic": true, "seed": -1}',
    ],
)
def test_a_manifest_with_wrong_types_is_refused(copy_tiles: Callable[[], Path], text: str) -> None:
    tiles = copy_tiles()
    (tiles / "twin.json").write_text(text)
    with pytest.raises(
        ValueError, match=r"manifest must have the keys version and synthetic, .*twin\.json"
    ):
        read_manifest(tiles)
