"""Time of reading with and without the check of every pixel for no data and for what cannot be backscatter.

    python benchmarks/check_values.py [--side PX]

A datacube in dB (both orbits, 4 dates, compressed) is read as a map reads it, window by window, plain and with a corner that
is no data; and a tile is opened. Rounds with the check alternate with rounds in which it passes all values on, in one
process on files in the page cache; the ratio is the median over rounds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import xarray as xr

from data.scene.base import InputSpec
from data.scene.open import open_scene
from data.tiles import open_tile, tile_path
from data.twin import make_twin

ORBITS = ("s1asc", "s1dsc")
SPEC = InputSpec(
    tuple(f"{orbit}:{band}" for orbit in ORBITS for band in ("VV", "VH")),
    *(4, "even", np.datetime64("2018-09-05T18:08")),
)
CHECKS = ("data.scene.series.clean_backscatter", "data.values.backscatter.clean_backscatter")
WINDOW_PX, OVERLAP_PX = 512, 32
ROUNDS = 5
AIM = 1.4  # times as long, at most


def write_cube(path: Path, side: int, fill: float | None) -> None:
    """Write a datacube whose upper right corner is filled, over a third of each side."""
    rng = np.random.default_rng(0)
    times = np.datetime64("2018-08-01", "ns") + 24 * np.arange(4) * np.timedelta64(1, "D")
    for index, orbit in enumerate(ORBITS):
        bands = {}
        for name, mean in (("VV", -9), ("VH", -15)):
            values = rng.normal(mean, 2, (4, side, side)).clip(-50, 0).astype(np.float32)
            if fill is not None:
                values[:, : side // 3, -side // 3 :] = fill
            bands[name] = (("time", "y", "x"), values)
        xy = {"y": 4_732_160 - 10.0 * np.arange(side), "x": 576_000 + 10.0 * np.arange(side)}
        cube = xr.Dataset(bands, {"time": times, **xy}, {"crs": "EPSG:32654"})
        chunks = {"chunksizes": (1, min(512, side), min(512, side)), "zlib": True, "complevel": 1}
        encoding = dict.fromkeys(bands, chunks)
        cube.to_netcdf(path, mode="a" if index else "w", group=orbit, encoding=encoding)


def read_cube(path: Path) -> None:
    """Read all windows of a scene, row by row."""
    scene = open_scene(path, SPEC, "dB")
    windows = scene.list_windows(WINDOW_PX, OVERLAP_PX)
    for start in sorted({window.rows.start for window in windows}):
        scene.read_all([window for window in windows if window.rows.start == start])


def measure(read: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds without the check, and the median ratio with it."""
    bare, ratios = [], []
    for round_ in range(ROUNDS + 1):
        with mock.patch(CHECKS[0], _pass_on), mock.patch(CHECKS[1], _pass_on):
            without = _time(read)
        if round_:  # the first one warms up
            bare.append(without)
            ratios.append(_time(read) / without)
    return statistics.median(bare), statistics.median(ratios)


def _pass_on(values: np.ndarray, units: object, tally: object, first: int = 0) -> np.ndarray:
    tally.pixels += values[0].size  # type: ignore[attr-defined]
    return values


def _time(read: Callable[[], object]) -> float:
    began = time.perf_counter()
    read()
    return time.perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Print times and ratios; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--side", type=int, default=2048, help="of the datacube (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        plain, filled = (Path(scratch) / name for name in ("plain.nc", "filled.nc"))
        write_cube(plain, args.side, None)
        write_cube(filled, args.side, -32768)
        twin = make_twin(Path(scratch) / "data", tile_ids=["hokkaido_579"], progress=False)
        tile = tile_path(twin, "hokkaido_579", "s1asc")
        results = {
            "datacube": measure(lambda: read_cube(plain)),
            "datacube with a filled corner": measure(lambda: read_cube(filled)),
            "tile": measure(lambda: [open_tile(tile) for _ in range(10)]),
        }
    for name, (seconds, ratio) in results.items():
        print(
            f"{name:30s} {seconds:7.2f} s without the check, {ratio:5.2f} x with it (at most {AIM})"
        )
    return int(any(ratio > AIM for _, ratio in results.values()))


if __name__ == "__main__":
    sys.exit(main())
