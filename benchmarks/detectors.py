"""DIST-S1 and the Mahalanobis distance on the twin: test average precision, tuned and untuned, and seconds a tile.

``python benchmarks/detectors.py [--root FOLDER] [--trials N] [--model NAME ...]``

The tiles are the whole twin's, the split is ``blocks``. The samples of the search see val alone; sample 0 has the values of
the definition. The time of a search is that of all its samples together, wall time on all cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

from data.pack import Pack, make_pack
from data.pack.channels import SAR_CHANNELS
from data.splits import Split, make_split
from data.tiles import ACQUISITIONS
from data.twin import make_twin
from tuning.baselines.baselines import baseline_title
from tuning.baselines.measure import Bench, score_tiles
from tuning.baselines.tune import pick_winner
from tuning.settings.presets import SEARCH_SEED

KEYS = ("dist_s1", "mahalanobis", "cusum", "log_ratio_vv")
READS = (("event", 4), ("all", ACQUISITIONS))


def measure(key: str, reads: tuple[str, int], pack: Pack, split: Split, trials: int) -> None:
    """Print the test average precision of a baseline before and after its search, and what both cost."""
    bench, began = Bench(key, pack, split, SAR_CHANNELS, *reads), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tried = bench.search(trials, SEARCH_SEED, Path(folder))
    searched, winner = time.perf_counter() - began, pick_winner(tried)
    scores, seconds = [], []
    for params in (tried[0].params, winner.params):
        predict, began = bench.bind(bench.config(0, params))(pack), time.perf_counter()
        scores.append(score_tiles(predict, pack, split.test))
        seconds.append((time.perf_counter() - began) / len(split.test))
    print(
        f"{baseline_title(key):<12} {reads[1]:>2} {reads[0]:<5} test AP {scores[0]:.3f} untuned, {scores[1]:.3f} tuned; "
        f"val AP {tried[0].val_pr_auc:.3f}, {winner.val_pr_auc:.3f}; {len(tried)} samples in {searched:.0f} s, "
        f"{seconds[0]:.3f} s a test tile; {winner.params}",
        flush=True,
    )


def main() -> None:
    """Print a line for each baseline and choice of acquisitions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="where twin and pack are")
    parser.add_argument("--trials", type=int, default=4, help="samples of the search on val")
    parser.add_argument("--model", nargs="+", default=KEYS, help="keys of baselines")
    options = parser.parse_args()
    tiles = make_twin(options.root / "data", progress=False)
    pack = make_pack(tiles, options.root / "packs")
    split = make_split("blocks", pack.surveys())
    print(f"Twin, split {split.name}, {len(split.val)} val and {len(split.test)} test tiles")
    for reads in READS:
        for key in options.model:
            measure(key, reads, pack, split, options.trials)


if __name__ == "__main__":
    main()
