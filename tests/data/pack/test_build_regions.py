"""A pack of some regions of a folder says nothing about the others."""

import shutil
from collections.abc import Callable
from pathlib import Path

from data.pack import make_pack
from data.tiles import tile_path


def test_unpaired_tiles_of_regions_that_nobody_chose_are_not_reported(
    copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    first, second = sorted((tiles / "s1asc").iterdir())[:2]
    shutil.copyfile(first, tiles / "s1asc" / "noto_s1asc_1.nc")
    tile_path(tiles, second.stem.replace("_s1asc", ""), "s1dsc").unlink()
    pack = make_pack(tiles, tmp_path / "packs", tile_ids=[first.stem.replace("_s1asc", "")])
    assert list(pack.excluded) == [second.stem.replace("_s1asc", "")]
