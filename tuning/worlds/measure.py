"""The worlds of a folder: measured once each, under settings that all of them share."""

import json
import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data.io.processes import WorkerDied, map_processes
from data.io.safe_json import read_json
from data.splits import Split
from data.twin.write_twin import hash_sources
from tuning.baselines.baselines import make_baseline_config
from tuning.worlds.world import SPLIT, measure_world, save_world

logger = logging.getLogger(__name__)

SETTINGS = "worlds.json"


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
