"""Whether a matrix finds a planted effect and no effect where there is none, with models that are really trained.

``python benchmarks/planted_matrix.py --root FOLDER``

The heights of the synthetic twin's tiles are replaced by noise, and a matrix of the preset ``quick`` compares: the channels without
and with these heights, which carry nothing, and train labels of which half of the landslides are dropped and the others moved by 5 px,
which must do harm. The models are boosted trees on all five folds, since the 79 tiles of one test split do not decide an effect of
this size. Prints each effect beside what was planted; the exit code is 1 if one contradicts it. A noise channel may be undecided
or equivalent, and worse by a little, since a model can learn noise by heart; it must not be better.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd

from data.twin import make_twin

NOISE, HARM = "s1+DEM", "drop=0.5+shift=5"
SPREAD_M = 300.0  # of the heights that replace the real ones


def make_noisy_tiles(root: Path) -> Path:
    """Copy the twin, with noise for heights, the same in both orbits of a tile; return the folder."""
    tiles, source = root / "noisy", make_twin(root / "data", progress=False)
    if not tiles.exists():
        aside = root / "noisy-unfinished"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(source, aside)
        for file in sorted(aside.rglob("*.nc")):
            number = int("".join(filter(str.isdigit, file.stem.rpartition("_")[2])))
            rng = np.random.default_rng(number)
            with netCDF4.Dataset(file, "a") as tile:
                heights = tile.variables["DEM"]
                heights[...] = rng.normal(800.0, SPREAD_M, heights.shape[-2:]).clip(1, 3000)
        aside.rename(tiles)
    return tiles


def main() -> int:
    """Run the matrix, and compare its effects with what was planted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="output folder")
    parser.add_argument("--cross", default="gradient_boosting_windows", help="model to train")
    parser.add_argument("--split", default="blocks:5", help="blocks has 79 test tiles alone")
    parser.add_argument("--seeds", default="3", help="of a network take 10")
    given = parser.parse_args()
    tiles = make_noisy_tiles(given.root)
    words = [
        "--vary",
        f"channels=s1,{NOISE}",
        "--vary",
        f"label_noise=0,{HARM}",
        "--name",
        "planted",
    ]
    words += ["--cross", given.cross, "--split", given.split, "--seeds", given.seeds]
    words += ["--trials", "1", "--preset", "quick"]
    words += ["--data", str(tiles), "--root", str(given.root)]
    subprocess.run([sys.executable, "-m", "tuning.matrix", *words], check=True)  # noqa: S603 - of this project
    table = pd.read_csv(given.root / "reports" / "planted" / "matrix_effects.csv")
    found = {row["level"]: row for row in table.to_dict("records") if row["kind"] == "level"}
    wrong = 0
    for level, allowed in ((NOISE, {"undecided", "equivalent", "worse"}), (HARM, {"worse"})):
        row = found[level]
        fits = row["verdict"] in allowed
        wrong += not fits
        print(
            f"{level}: {row['estimate']:+.3f} AP ({row['low']:+.3f} to {row['high']:+.3f}), {row['verdict']}: "
            f"{'as planted' if fits else 'NOT as planted'}"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
