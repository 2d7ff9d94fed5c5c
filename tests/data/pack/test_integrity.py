"""Damaged values of a pack are found, named and read again, and reach neither a training nor another pack."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack, load_pack, make_pack
from data.pack.integrity import DamagedPackError, find_damage

ARRAYS = ("s1asc.f16", "s1dsc.f16", "mask.u8", "dem.i16", "slope.f16")


def flip_bit(file: Path, place: int) -> None:
    """Flip a bit as a bad disk does: size and times stay."""
    before = file.stat()
    with file.open("r+b") as opened:
        opened.seek(place)
        (byte,) = opened.read(1)
        opened.seek(place)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def own(pack: Pack, tmp_path: Path) -> Path:
    """A copy of the pack, in a folder of packs."""
    return Path(shutil.copytree(pack.path, tmp_path / "packs" / pack.path.name))


@pytest.mark.parametrize("name", ARRAYS)
def test_a_flipped_bit_is_found_with_its_tile_and_array(own: Path, name: str) -> None:
    size = (own / name).stat().st_size
    flip_bit(own / name, size // 12 * 7 + 5)  # of the eighth of twelve tiles
    tile = load_pack(own, check=False).tile_ids[7]
    array = name.split(".")[0]
    with pytest.raises(
        DamagedPackError, match=rf"1 of 12 tiles are damaged in .*: {tile} \({array}\).*Delete"
    ) as caught:
        load_pack(own)
    assert caught.value.tiles == {tile: [array]}


@pytest.mark.parametrize("name", ["times", "moments", "own_events", "corners"])
def test_a_flipped_bit_in_a_table_is_found(own: Path, name: str) -> None:
    flip_bit(own / f"{name}.npy", (own / f"{name}.npy").stat().st_size - 1)  # the last tile's
    with pytest.raises(DamagedPackError, match=r"\(facts\)"):
        load_pack(own)


def test_a_flipped_bit_in_events_or_manifest_is_found(own: Path) -> None:
    flip_bit(own / "events.npy", (own / "events.npy").stat().st_size - 3)
    with pytest.raises(ValueError, match=r"events must have the checksum .* in .*events\.npy"):
        load_pack(own, check=False)
    manifest = own / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"synthetic": true', '"synthetic": false'))
    with pytest.raises(ValueError, match=r"manifest must have its own checksum.*manifest\.json"):
        load_pack(own, check=False)


def test_pages_of_zeros_and_inverted_labels_are_found(own: Path) -> None:
    pack = load_pack(own, check=False)
    labels = np.memmap(own / "mask.u8", np.uint8, "r+")
    labels[:] = 1 - labels
    labels.flush()
    zeros = np.memmap(own / "s1asc.f16", np.uint8, "r+")
    zeros[:4096] = 0
    zeros.flush()
    damage = find_damage(pack)
    assert list(damage) == list(pack.tile_ids)
    assert damage[pack.tile_ids[0]] == ["s1asc", "mask"]


def test_a_damaged_pack_is_mended_from_the_tiles(
    own: Path, twin: Path, pack: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    flip_bit(own / "mask.u8", 7)
    with caplog.at_level(logging.INFO):
        mended = make_pack(twin, own.parent)
    first = pack.tile_ids[0]
    assert f"{first} is read again: its mask are damaged" in caplog.text
    assert "Copying 11 of 12 tiles from earlier packs." in caplog.text
    assert mended.path == own
    assert np.array_equal(mended.mask, pack.mask)
    assert load_pack(own).hash == pack.hash
    assert [path.name for path in own.parent.iterdir()] == [own.name]


def test_damaged_rows_are_not_copied_into_another_pack(own: Path, twin: Path, pack: Pack) -> None:
    flip_bit(own / "s1dsc.f16", 11)
    fewer = make_pack(twin, own.parent, tile_ids=pack.tile_ids[:2])
    assert np.array_equal(fewer.bands["s1dsc"], pack.bands["s1dsc"][:2], equal_nan=True)


def test_a_pack_of_an_earlier_version_is_built_anew(own: Path, twin: Path, pack: Pack) -> None:
    manifest = own / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 7', '"format": 6'))
    with pytest.raises(ValueError, match=r"must have format 7, but got 6 in .*Build it again"):
        load_pack(own)
    assert make_pack(twin, own.parent, tile_ids=pack.tile_ids[:1]).hash != pack.hash
