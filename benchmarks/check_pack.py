"""Time to check every value of a pack against its checksums, as a machine does when it first opens the pack.

    python benchmarks/check_pack.py [--tiles N]

Prints the seconds for a pack of 290 tiles, 594 MB, whose files were just written, and the share of the time that reading
takes alone.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.io.processes import count_cpus
from data.pack import Pack, load_pack
from data.pack.file_format import PackWriter, count_bytes
from data.pack.integrity import check_pack
from data.pack.tile_row import TileRow
from data.tiles import ACQUISITIONS, BANDS, ORBITS, TILE_PX
from data.tiles.events import NO_EVENT

AIM_S = 2.0  # for 600 MB
TILES = 290
TURNS = 5


def main(argv: list[str] | None = None) -> int:
    """Print the times; return 1 if the check takes longer than its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=int, default=TILES, help=f"tiles (default: {TILES})")
    args = parser.parse_args(argv)
    size = count_bytes(ORBITS, args.tiles)
    with tempfile.TemporaryDirectory() as scratch:
        pack = write_pack(Path(scratch), args.tiles)
        checks = [measure(lambda: check_pack(pack)) for _ in range(TURNS)]
        reads = [measure(lambda: read_pack(pack)) for _ in range(TURNS)]
    took, aim = float(np.median(checks)), AIM_S * size / 600e6
    print(
        f"{size / 1e6:.0f} MB on {count_cpus()} cores: {took:.2f} s ({min(checks):.2f} to {max(checks):.2f}; "
        f"aim {aim:.2f}), {size / took / 1e9:.1f} GB/s; reading alone {np.median(reads):.2f} s"
    )
    return 0 if took <= aim else 1


def measure(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read_pack(pack: Pack) -> int:
    """Read every page of a pack's arrays."""
    arrays = (*pack.bands.values(), pack.mask, pack.dem, pack.slope)
    return sum(int(values.view(np.uint8).reshape(-1)[::4096].sum()) for values in arrays)


def write_pack(folder: Path, tiles: int) -> Pack:
    """Write a pack of noise."""
    rng = np.random.default_rng(0)
    square = (TILE_PX, TILE_PX)
    noise = rng.normal(-10, 3, (ACQUISITIONS, len(BANDS[ORBITS[0]]), *square)).astype(np.float16)
    times = np.datetime64("2018-03-29", "s") + 24 * np.arange(ACQUISITIONS) * np.timedelta64(1, "D")
    row = TileRow(
        bands=dict.fromkeys(ORBITS, noise),
        mask=(rng.random(square) < 0.03).astype(np.uint8),
        dem=rng.integers(0, 700, square, np.int16),
        slope=rng.random(square).astype(np.float16),
        times=np.stack([times] * len(ORBITS)),
        moments=np.ones((2 * len(ORBITS) + 2, 3)),
        event=NO_EVENT,
        corner=np.zeros(2),
        crs="EPSG:32654",
        synthetic=True,
        warnings=(),
    )
    ids = [f"hokkaido_{number}" for number in range(tiles)]
    with PackWriter(folder, ORBITS) as writer:
        for tile in ids:
            writer.add(tile, row)
    digest = "0" * 12
    manifest = {"hash": digest, "inputs": digest, "synthetic": True, "seed": 0}
    manifest |= {
        "modalities": list(ORBITS),
        "digests": {},
        "excluded": {},
        "suspicious": {},
        "units": "dB",
    }
    writer.finish(manifest)
    return load_pack(folder, check=False)


if __name__ == "__main__":
    sys.exit(main())
