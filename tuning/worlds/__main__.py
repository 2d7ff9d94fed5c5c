"""`python -m tuning.worlds`: repeat a cheap comparison over many twin worlds, and say how often verdicts were right."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.io.processes import WorkerDied, map_processes
from data.io.safe_json import read_json
from data.splits import Split
from data.tiles.regions import DEFAULT_REGION
from data.twin.regions import REGIONS
from data.twin.write_twin import hash_sources, select_sites
from tuning.baselines.baselines import make_baseline_config
from tuning.statistics.blocks import BLOCK_TILES
from tuning.statistics.clusters import MIN_EVENTS
from tuning.statistics.family import MARGIN
from tuning.worlds.judge import Rules
from tuning.worlds.summary import Judge, write_summary
from tuning.worlds.world import (
    SPLIT,
    check_models,
    choose_tiles,
    load_world,
    measure_world,
    save_world,
)

logger = logging.getLogger(__name__)

MODELS = ("log_ratio_vv_asc", "log_ratio_vv_dsc", "log_ratio_vv", "logistic_regression")
SETTINGS = "worlds.json"
FIRST, COUNT = 100, 20


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tuning.worlds", description=__doc__)
    parser.add_argument(
        "--worlds", type=int, default=COUNT, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--first",
        type=int,
        default=FIRST,
        metavar="SEED",
        help="the first world's seed; default: %(default)s",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=list(MODELS),
        metavar="KEY",
        help="baselines; default: %(default)s",
    )
    parser.add_argument(
        "--region", default=DEFAULT_REGION, metavar="|".join(REGIONS), help="default: %(default)s"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default: 1")
    parser.add_argument(
        "--tiles",
        type=int,
        metavar="N",
        help="keep N tiles of each part, for a trial; default: all",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=MARGIN,
        metavar="AP",
        help="of equivalence; default: %(default)s",
    )
    parser.add_argument(
        "--block-tiles",
        type=int,
        default=BLOCK_TILES,
        metavar="N",
        help="edge of a spatial block; default: %(default)s",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("mlruns/worlds"),
        metavar="PATH",
        help="folder; worlds in it are not measured again; default: %(default)s",
    )
    return parser.parse_args(argv)


def check_counts(worlds: int, jobs: int, tiles: int | None) -> None:
    """Raise ValueError if there are fewer than two worlds, no process, or no tile."""
    if worlds < 2:
        raise ValueError(
            f"--worlds must be 2 or more, since worlds are compared, but got {worlds}."
        )
    if jobs < 1 or (tiles is not None and tiles < 1):
        raise ValueError(f"--jobs and --tiles must be 1 or more, but got {jobs} and {tiles}.")


def lock_settings(out: Path, models: Sequence[str], region: str, split: Split) -> None:
    """Write what determines a world's numbers into *out*, or refuse a folder of other numbers.

    Raises:
        ValueError: If the folder holds worlds of other settings, or of another version of the twin.
    """
    constants = {key: make_baseline_config(key, SPLIT, "") for key in models}
    parts = {name: split.part(name) for name in ("train", "test")}
    settings = {"region": region, "models": constants, "tiles": parts, "twin": hash_sources()}
    settings = json.loads(json.dumps(settings))
    file = out / SETTINGS
    if not file.is_file():
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        return
    found = read_json(file)
    if other := [name for name, value in settings.items() if found.get(name) != value]:
        raise ValueError(
            f"Worlds of one folder must be measured alike, but {file} has other {' and '.join(other)}. "
            "Choose another folder with --out, or delete this one."
        )


def world_file(out: Path, seed: int) -> Path:
    """Return the file of one world's sums."""
    return out / f"world-{seed}.npz"


def _measure(out: Path, split: Split, models: Sequence[str], seed: int) -> float:
    began = time.perf_counter()
    save_world(measure_world(seed, split, models), world_file(out, seed))
    return time.perf_counter() - began


def measure_missing(
    out: Path, seeds: Sequence[int], split: Split, models: Sequence[str], jobs: int
) -> None:
    """Measure the worlds that *out* lacks."""
    missing = [seed for seed in seeds if not world_file(out, seed).is_file()]
    logger.info("%d of %d worlds are in %s.", len(seeds) - len(missing), len(seeds), out)
    work = partial(_measure, out, split, models)
    took = map(work, missing) if jobs == 1 else map_processes(work, missing, "Worlds", workers=jobs)
    for seed, seconds in zip(missing, took, strict=True):
        if isinstance(seconds, WorkerDied):
            raise OSError(
                f"A world must be measured completely, but got the death of its process for seed {seed}. "
                "Free memory or use fewer --jobs."
            )
        logger.info("World %d: %.0f s.", seed, seconds)


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if measuring fails, 2 for invalid arguments."""
    args = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    seeds = range(args.first, args.first + args.worlds)
    rules = Rules(args.margin, args.block_tiles, MIN_EVENTS)
    writes_to(args.out)
    with bad_arguments(ValueError):
        check_counts(args.worlds, args.jobs, args.tiles)
        models = check_models(args.models)
        split = choose_tiles(args.region, models, args.tiles)
        for seed in (seeds[0], seeds[-1]):
            select_sites(seed, "harmonized")
        lock_settings(args.out, models, args.region, split)
        judge = Judge(models, rules)
    measure_missing(args.out, seeds, split, models, args.jobs)
    for seed in seeds:
        judge.add(load_world(world_file(args.out, seed), seed, models))
    print(write_summary(judge, args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
