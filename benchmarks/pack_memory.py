"""Memory of several trials that read one pack: they share everything except their own batches.

    python benchmarks/pack_memory.py [--data PATH] [--tiles N]

Starts 1, 2 and 4 processes that read whole epochs of one pack, and prints the memory that reading adds to
each, and the mapped files, which are in memory only once (Linux: /proc/self/smaps_rollup). The ratio is the memory that a
process adds beyond two batches, divided by the pack's size.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from pathlib import Path
from threading import Barrier

import torch

from data.pack import load_pack, make_pack
from data.pack.channels import SAR_CHANNELS
from data.pack.dataset import TileDataset
from data.pack.normalisation import make_normalisation
from data.tiles import list_tiles
from data.tiles.catalogue import read_catalogue
from data.twin import make_twin

BATCH = 8
PROCESSES = (1, 2, 4)
AIM = 0.1


def read_memory() -> tuple[int, int]:
    """Return this process's own memory and its mapped files, in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return kib["Anonymous"] * 1024, (kib["Rss"] - kib["Anonymous"]) * 1024


def read_epochs(path: Path, together: Barrier, _: int) -> tuple[int, int, int]:
    """Read two epochs in parallel with the others; return own bytes before and after, and mapped bytes."""
    torch.set_num_threads(1)
    pack = load_pack(path)
    norm = make_normalisation("train", pack, pack.tile_ids, SAR_CHANNELS)
    tiles = TileDataset(pack, pack.tile_ids, norm, 15, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    before, _mapped = read_memory()
    for _epoch in range(2):
        for _batch in tiles.shuffled(BATCH, generator):
            pass
    together.wait()
    return before, *read_memory()


def measure(path: Path, processes: int, manager: SyncManager) -> tuple[float, float]:
    """Return the mean bytes that a process adds while it reads, and the mean that it maps."""
    work = partial(read_epochs, path, manager.Barrier(processes))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(work, range(processes)))
    added = sum(after - before for before, after, _ in found) / processes
    return added, sum(mapped for *_, mapped in found) / processes


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if another process adds more than its batches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tile folder; default: tiles of the twin")
    parser.add_argument("--tiles", type=int, default=290, help="default: %(default)s")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch, get_context("spawn").Manager() as manager:
        wanted = sorted(read_catalogue())[: args.tiles]
        tiles = args.data or make_twin(Path(scratch) / "data", tile_ids=wanted)
        pack = make_pack(tiles, Path(scratch) / "packs", tile_ids=list_tiles(tiles)[: args.tiles])
        size = sum(file.stat().st_size for file in pack.path.iterdir())
        batch = BATCH * 15 * len(SAR_CHANNELS) * 128 * 128 * 4
        print(f"pack {size / 1e6:.0f} MB, one batch {batch / 1e6:.0f} MB; per process, in MB:")
        rows = [measure(pack.path, count, manager) for count in PROCESSES]
    for count, (added, mapped) in zip(PROCESSES, rows, strict=True):
        print(f"  {count} processes: own {added / 1e6:>5.0f}, mapped files {mapped / 1e6:>5.0f}")
    ratio = (rows[-1][0] - 2 * batch) / size
    print(f"beyond two batches, a process adds {ratio:.3f} of the pack (aim {AIM})")
    return 0 if ratio <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
