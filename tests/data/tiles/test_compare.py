"""A tile's files are compared with each other, and a file with its hash."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.tiles import TileError, compare_tiles, hash_file, open_tile
from tests.support.tile_files import EVENT, make_dataset, write


def test_modalities_of_a_tile_are_compared(tmp_path: Path) -> None:
    first = open_tile(write(make_dataset(), tmp_path))
    second = open_tile(write(make_dataset("s2"), tmp_path, "s2"))
    assert compare_tiles([first]) == compare_tiles([]) == ()
    assert compare_tiles([first, second]) == ()
    mask, dem = first.mask.copy(), first.dem.copy()
    mask[0, :3] ^= 1
    dem[0, :2] += 1
    warnings = compare_tiles([first, replace(first, modality="s1dsc", mask=mask, dem=dem)])
    assert [warning.text for warning in warnings] == [
        "3 mask pixels differ between s1asc and s1dsc.",
        "2 heights differ between s1asc and s1dsc.",
    ]


def test_modalities_on_two_grids_are_refused(tmp_path: Path) -> None:
    first = open_tile(write(make_dataset(), tmp_path))
    moved = replace(first, modality="s1dsc", x=first.x + 10)
    match = r"have the same grid, but got .* \(576000, 4732160\) EPSG:32654 and \(576010, 4732160\) EPSG:32654 in s1asc and s1dsc"
    with pytest.raises(TileError, match=match) as caught:
        compare_tiles([first, moved])
    assert caught.value.verdict == "grids-differ"


def test_files_of_a_tile_with_two_origins_or_events(tmp_path: Path) -> None:
    first = open_tile(write(make_dataset(), tmp_path))
    with pytest.raises(TileError, match=r"or all synthetic, but .* s1asc and s1dsc of \w+\. Keep"):
        compare_tiles([first, replace(first, modality="s1dsc", synthetic=True)])
    (found,) = compare_tiles([first, replace(first, modality="s1dsc", event=EVENT)])
    assert found.text == f"The event dates differ between s1asc and s1dsc: None and {EVENT}."


def test_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert hash_file(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
