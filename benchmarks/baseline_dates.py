"""Boosted trees on few and on all acquisitions, with and without windows: test average precision over seeds.

``python benchmarks/baseline_dates.py [--root FOLDER] [--trials N] [--seeds N]``

The tiles are the whole twin's, the split is ``blocks``. With ``--trials 1`` the values of the definitions are used; more
samples are searched on val first, as in a campaign.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from data.pack import Pack, make_pack
from data.pack.channels import SAR_CHANNELS
from data.splits import Split, make_split
from data.tiles import ACQUISITIONS
from data.twin import make_twin
from tuning.baselines.baselines import baseline_title
from tuning.baselines.measure import Bench, make_run, score_tiles
from tuning.settings.presets import SEARCH_SEED, SEEDS

KEYS = ("gradient_boosting", "gradient_boosting_windows")
READS = (("even", 4), ("all", ACQUISITIONS))
AIMS = {
    ("gradient_boosting_windows", 4): 0.54,
    ("gradient_boosting_windows", ACQUISITIONS): 0.62,
}


def measure(
    key: str, reads: tuple[str, int], pack: Pack, split: Split, options: argparse.Namespace
) -> bool:
    """Print the test average precision of a baseline over seeds; return whether it reaches its aim."""
    began, seeds = time.process_time(), SEEDS[: options.seeds]
    bench = Bench(key, pack, split, SAR_CHANNELS, *reads, seeds=sorted({*seeds, SEARCH_SEED}))
    with tempfile.TemporaryDirectory() as folder:
        tried = bench.search(options.trials, SEARCH_SEED, Path(folder))
    run = make_run(tried)
    scores = [
        score_tiles(bench.bind(bench.config(seed, **run))(pack), pack, split.test) for seed in seeds
    ]
    seconds, aim = time.process_time() - began, AIMS.get((key, reads[1]), 0.0)
    print(
        f"{baseline_title(key):<24} {reads[1]:>2} {reads[0]:<5} test AP {np.mean(scores):.3f} ± "
        f"{np.std(scores, ddof=1):.3f}, val AP {max(one.val_pr_auc for one in tried):.3f}, {seconds:.0f} s of a core"
        + (f" (aim {aim})" if aim else ""),
        flush=True,
    )
    return float(np.mean(scores)) >= aim


def main() -> int:
    """Print a line for each baseline and choice of acquisitions; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="where twin and pack are")
    parser.add_argument("--trials", type=int, default=1, help="samples of the search on val")
    parser.add_argument("--seeds", type=int, default=3, help="seeds, at least 2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tiles = make_twin(options.root / "data", progress=False)
    pack = make_pack(tiles, options.root / "packs")
    split = make_split("blocks", pack.surveys())
    print(f"Twin, split {split.name}, {options.seeds} seeds, {options.trials} samples on val")
    reached = [measure(key, reads, pack, split, options) for reads in READS for key in KEYS]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
