import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.pack import Pack
from data.tiles import ORBITS
from data.tiles.manifest import describe_origin, read_manifest
from data.twin import make_twin


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


def test_fetched_tiles_are_real(copy_tiles: Callable[[], Path]) -> None:
    tiles = copy_tiles()
    content = {"synthetic": False, "version": "harmonized", "repo": "a/b", "revision": "0" * 40}
    (tiles / "fetch.json").write_text(json.dumps(content))
    text = str(read_manifest(tiles))
    assert text.startswith(f"Data: real tiles in {tiles} (harmonized release, a/b at 0000000000,")
    assert text.endswith("backscatter in dB).")
    assert describe_origin(synthetic=False) == "real"


def test_tiles_without_a_manifest_are_real(copy_tiles: Callable[[], Path]) -> None:
    manifest = read_manifest(copy_tiles())
    assert (manifest.synthetic, manifest.origin, manifest.units) == (False, "no manifest", "dB")


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
