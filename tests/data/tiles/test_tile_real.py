"""What the real tile of the fixture holds, with values measured on it."""

from data.tiles import hash_file
from tests.support.real_tiles import REAL_TILES, read_hashes


def test_real_files_are_those_of_their_attribution() -> None:
    files = {path.relative_to(REAL_TILES).as_posix(): path for path in REAL_TILES.glob("*/*.nc")}
    assert {name: hash_file(path) for name, path in files.items()} == read_hashes()
    assert len(files) == 3
