"""Speed of reading tiles from the pack, compared with opening each with xarray and with a memory copy.

    python benchmarks/read_tiles.py [--data PATH] [--tiles N]

Each variant returns the same tensor ``(15, 2, 128, 128)`` float32 in dB per tile, in one process on one thread, from files in
the page cache, in random order. The last line is the loading rate in a training: read and normalised.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from data.pack import make_pack
from data.pack.dataset import TileDataset
from data.pack.normalisation import make_normalisation
from data.pack.reader import PackReader
from data.tiles import BANDS, list_tiles, tile_path
from data.twin import make_twin

ORBIT = "s1asc"
BATCH = 16
ROUNDS = 5
AIM_XARRAY, AIM_COPY = 150.0, 1.0


def read_with_xarray(path: Path) -> np.ndarray:
    """Open one tile and stack its bands, ``(T, C, H, W)`` float32, as the data set's own loader does."""
    with xr.open_dataset(path) as file:
        bands = [file[name].to_numpy().astype(np.float32) for name in BANDS[ORBIT]]
        return np.stack(bands, axis=1)


def measure(read: Callable[[], int]) -> float:
    """Return tiles per second."""
    began = time.perf_counter()
    count = read()
    return count / (time.perf_counter() - began)


def main(argv: list[str] | None = None) -> int:
    """Print the rates and their ratios; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tile folder; default: tiles of the twin")
    parser.add_argument("--tiles", type=int, default=96, help="default: %(default)s")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        tiles = args.data or make_twin(Path(scratch) / "data", tile_ids=_pick(args.tiles))
        ids = list_tiles(tiles, (ORBIT,))[: args.tiles]
        rates = compare(tiles, ids, Path(scratch) / "packs")
    return report(rates, len(ids))


def _pick(count: int) -> list[str]:
    from data.tiles.catalogue import read_catalogue

    return sorted(read_catalogue())[:count]


def compare(tiles: Path, ids: list[str], packs: Path) -> dict[str, list[float]]:
    """Measure the variants alternately, so that a busy machine slows all of them equally."""
    pack = make_pack(tiles, packs, modalities=(ORBIT,), tile_ids=ids)
    channels = [f"{ORBIT}:{band}" for band in BANDS[ORBIT]]
    reader = PackReader(pack, channels, 15, "all")
    norm = make_normalisation("train", pack, ids, channels)
    served = TileDataset(pack, ids, norm, 15, torch.device("cpu"), "all")
    plain = torch.from_numpy(pack.bands[ORBIT].astype(np.float32))
    buffer = torch.empty(BATCH, *plain.shape[1:])

    order = np.random.default_rng(0).permutation(len(ids)).tolist()

    def from_xarray() -> int:
        for row in order:
            read_with_xarray(tile_path(tiles, ids[row], ORBIT))
        return len(ids)

    def from_pack() -> int:
        for place, row in enumerate(order):
            reader.read(row, buffer[place % BATCH])
        return len(ids)

    def from_memory() -> int:
        for place, row in enumerate(order):
            buffer[place % BATCH].copy_(plain[row])
        return len(ids)

    def normalised() -> int:
        return sum(len(batch.x) for batch in served.shuffled(BATCH, torch.Generator()))

    ways = {"xarray": from_xarray, "pack": from_pack, "copy": from_memory, "training": normalised}
    for read in ways.values():
        read()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, read in ways.items():
            repeats = 1 if read is from_xarray else 9
            rates[name].append(statistics.median(measure(read) for _ in range(repeats)))
    return rates


def report(rates: dict[str, list[float]], tiles: int) -> int:
    """Print the table; return the exit code."""
    middle = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{tiles} tiles, median of {ROUNDS} rounds, one thread, tiles per second:")
    for name, values in rates.items():
        print(f"  {name:<8}{middle[name]:>10.0f}   ({min(values):.0f} to {max(values):.0f})")
    over_xarray = middle["pack"] / middle["xarray"]
    over_copy = middle["pack"] / middle["copy"]
    print(f"pack / xarray: {over_xarray:.0f} x (aim {AIM_XARRAY:.0f})")
    print(f"pack / copy:   {over_copy:.2f} x (aim {AIM_COPY:.0f})")
    return 0 if over_xarray >= AIM_XARRAY and over_copy >= AIM_COPY else 1


if __name__ == "__main__":
    sys.exit(main())
