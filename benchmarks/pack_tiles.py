"""Time to pack all tiles, and to pack them again after one changed.

    python benchmarks/pack_tiles.py [--data PATH]

Prints the seconds, and the ratio of packing again after one changed tile to the first packing.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

from data.io.processes import count_cpus
from data.pack import make_pack
from data.tiles import ORBITS, list_tiles, tile_path
from data.twin import make_twin

AIM_S = 60.0  # all 290 x 2 files on two cores
AIM_AGAIN = 0.5


def main(argv: list[str] | None = None) -> int:
    """Print the times; return 1 if one is above its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tile folder; default: all tiles of the twin")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as scratch:
        tiles = args.data or make_twin(Path(scratch) / "data")
        copy = Path(scratch) / "tiles"
        for orbit in ORBITS:
            shutil.copytree(tiles / orbit, copy / orbit)
        first, again = pack_twice(copy, Path(scratch) / "packs")
        count = len(list_tiles(copy))
    print(f"{count} x {len(ORBITS)} files on {count_cpus()} cores: {first:.1f} s (aim {AIM_S:.0f})")
    print(f"after one changed tile: {again:.1f} s, {again / first:.2f} of it (aim {AIM_AGAIN})")
    return 0 if first <= AIM_S and again <= AIM_AGAIN * first else 1


def pack_twice(tiles: Path, packs: Path) -> tuple[float, float]:
    """Pack, change one file, pack again; return the seconds of both."""
    began = time.perf_counter()
    pack = make_pack(tiles, packs, units="dB")
    middle = time.perf_counter()
    with tile_path(tiles, pack.tile_ids[0], ORBITS[0]).open("ab") as file:
        file.write(b"\0")
    changed = time.perf_counter()
    make_pack(tiles, packs, units="dB")
    return middle - began, time.perf_counter() - changed


if __name__ == "__main__":
    sys.exit(main())
