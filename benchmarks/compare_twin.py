"""The twin beside real tiles: brightness, noise, heights, change, and how hard its landslides are to see.

    python benchmarks/compare_twin.py --real FOLDER --published CSV [--data TWIN]

``--real`` is a folder with ``s1asc/`` and ``s1dsc/`` of real tiles in dB, such as ``tests/support/real``. ``--published`` is
``tests/stats/s1dsc_raw_stats.csv`` of the repository PaulH97/Sen12Landslides: statistics per tile of linear power.

Tight rows rest on the published statistics of 135 Hokkaido tiles: the exit code is 1 if one misses. Loose rows rest on few
real tiles (one, in the tests' folder), of another region: those more than a fifth off are marked. The last rows are the
average precision of simple detectors on the test tiles of the split ``blocks``, against what docs/real_tiles.md documents.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from _tile_measures import (
    measure_power,
    measure_tile,
    read_published,
    score_detectors,
    summarise_power,
)
from tqdm import tqdm

from data.splits import make_split, survey_catalogue
from data.tiles import ORBITS, list_tiles, open_tile, tile_path
from data.twin import make_twin

REGION = "hokkaido"
TIGHT = {"mean VV": 0.3, "mean VH": 0.3, "variation VV": 0.04, "variation VH": 0.06}
LOOSE, NEAR_ZERO = 0.2, 0.02  # share of the real value; absolute difference
DETECTORS = {"AP mean change": 0.38, "AP one pair": 0.19, "AP logistic regression": 0.43}
AROUND = 0.05  # of the detectors' average precision


def main(argv: list[str] | None = None) -> int:
    """Print one row per measure; return 1 if a tight one or a detector misses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, required=True, help="folder of real tiles in dB")
    parser.add_argument("--published", type=Path, required=True, help="published statistics")
    parser.add_argument("--data", type=Path, help="the twin's Hokkaido, whole; default: make it")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        twin = args.data or make_twin(Path(scratch))
        split = make_split("blocks", survey_catalogue())
        print(f"{'':26} {'real':>8} {'twin':>8}")
        kept = [compare_published(twin, args.published)]
        compare_tiles(twin, split.test, args.real)
        scores = score_detectors(twin, split.test, split.train[::2])
        kept += [
            show(name, value, scores[name], AROUND, "documented, the twin's of before")
            for name, value in DETECTORS.items()
        ]
    return 0 if all(kept) else 1


def show(name: str, real: float, twin: float, most: float, note: str) -> bool:
    """Print a row; return whether the twin differs by *most* or less."""
    kept = abs(twin - real) <= most
    print(f"{name:26} {real:8.3f} {twin:8.3f}  {note}{'' if kept else ', DIFFERS'}", flush=True)
    return kept


def compare_published(twin: Path, file: Path) -> bool:
    """Compare the brightness of the tiles that both have; return whether all tight rows hold."""
    published = read_published(file, REGION)
    ids = sorted(set(published) & set(list_tiles(twin, regions=(REGION,))))
    real = summarise_power([published[tile_id] for tile_id in ids])
    tiles = (open_tile(tile_path(twin, tile_id, "s1dsc")) for tile_id in tqdm(ids, desc="Power"))
    made = summarise_power([measure_power(tile) for tile in tiles])
    note = f"tight: {len(ids)} published tiles"
    rows = [show(name, real[name], made[name], most, note) for name, most in TIGHT.items()]
    return all(rows)


def compare_tiles(twin: Path, twin_ids: Sequence[str], real: Path) -> None:
    """Compare the medians over all real tiles with those over some of the twin's."""
    real_ids = list_tiles(real)
    found, made = _measure(real, real_ids), _measure(twin, twin_ids)
    for name, value in found.items():
        most = max(LOOSE * abs(value), NEAR_ZERO)
        show(name, value, made[name], most, f"loose: {len(real_ids)} real tile(s)")


def _measure(folder: Path, ids: Sequence[str]) -> Mapping[str, float]:
    paths = [tile_path(folder, tile_id, orbit) for tile_id in ids for orbit in ORBITS]
    rows = [measure_tile(open_tile(path)) for path in tqdm(paths, desc="Tiles")]
    return {name: float(np.nanmedian([row[name] for row in rows])) for name in rows[0]}


if __name__ == "__main__":
    sys.exit(main())
