"""Overhead of Ray and MLflow for one trial: its wall time with both, divided by that of fit() in a bare process.

    python benchmarks/fit_under_ray.py [--rounds N] [--epochs N]

Both train the same network on the same tiles of the twin with one thread, alternately: `tuning.train.fit` in a process that
imports neither, and `tuning.search.run_queue.run_queue` with one trial that also logs to MLflow. A training's time runs from the
start of its first epoch to the end of its last, including waits for Ray. Start-up is the time from the call,
with Ray running, until the first epoch of a campaign's first trial starts; the test split and sending after the last epoch
count for neither. The driver needs a second core.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _turns import Ratio, Side, judge, serve, tell_load

from data.io.malloc import keep_freed_memory
from data.pack import Pack, load_pack, make_pack
from data.splits import survey_catalogue
from data.twin import make_twin
from tuning.settings.presets import pick_tiles
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder, read_optional_json

AIM, AIM_START_S = 1.03, 5.0
TILES_PER_PART, EPOCHS = 24, 8

Times = tuple[
    float, float
]  # when the first epoch began, seconds since 1970; seconds to the end of the last


def read_times(trial_folder: TrialFolder) -> Times:
    """Read a training's times from its history."""
    rows = trial_folder.history()
    began = rows[0]["time_ms"] / 1000 - rows[0]["seconds"]
    return began, rows[-1]["time_ms"] / 1000 - began


def fit_alone(request: dict[str, Any]) -> dict[str, float]:
    """Train in this bare process; return seconds."""
    keep_freed_memory()
    torch.set_num_threads(1)
    config: Config = read_optional_json(Path(request["config"]))
    began = time.time()
    fit(config, load_pack(Path(request["pack"])), Path(request["to"]), lambda row: None)
    first, seconds = read_times(TrialFolder(Path(request["to"])))
    return {"start": first - began, "seconds": seconds}


class Platform:
    """A Ray that is started once; each training is a stage of one trial."""

    def __init__(self, root: Path, pack: Pack) -> None:
        from track_trials import make_settings

        from tuning.cluster.ray_session import start_ray

        self.root, self.pack = root, pack
        began = time.perf_counter()
        start_ray(make_settings())
        self.ray_s = time.perf_counter() - began

    def fit(self, config: Config, name: str) -> dict[str, float]:
        """Train one trial; return seconds."""
        from tuning.cluster.resources import Resources
        from tuning.search.run_queue import run_queue
        from tuning.search.work import repeat_alone
        from tuning.tracking.payloads import CampaignContext, DataRecord
        from tuning.tracking.sender import MLflowSender
        from tuning.trial.stage import Stage, StageJob

        pack = self.pack
        context = CampaignContext(
            name, "quick", "blocks", "s", pack.hash, "synthetic", "s1", "4 even", "c"
        )
        job = StageJob("repeat", {}, str(pack.path), str(self.root / name / "trials"))
        delivery = MLflowSender(
            self.root, context, DataRecord("hokkaido-twin", pack.hash, "twin", {}, {})
        )
        stage = Stage("repeat", job, 1, config["epochs"])
        began = time.time()
        run_queue(
            [repeat_alone([config], stage, delivery, Resources(1, 0))], self.root / name / "ray"
        )
        first, seconds = read_times(job.folder({"config": config}))
        return {"start": first - began, "seconds": seconds}


def measure(root: Path, rounds: int, epochs: int) -> tuple[list[Any], list[Any]]:
    """Train alternately; return the seconds of the bare process and of the platform."""
    from track_trials import make_config

    from tuning.cluster.ray_session import stop_ray
    from tuning.trial.folder import write_json

    tiles = make_twin(
        root / "data",
        tile_ids=pick_tiles("blocks", TILES_PER_PART, survey_catalogue()),
        progress=False,
    )
    pack = make_pack(tiles, root / "packs", units="dB")
    config = make_config(pack, 0) | {"epochs": epochs, "patience": epochs}
    write_json(root / "config.json", config)
    alone, under = [], []
    platform = Platform(root, pack)
    print(f"Ray itself started in {platform.ray_s:.1f} s", flush=True)
    try:
        for number in range(rounds):
            words = {"config": str(root / "config.json"), "pack": str(pack.path)}
            with Side(__file__, ["--side"]) as side:
                alone.append(side.ask(words | {"to": str(root / f"alone-{number}")}))
            under.append(platform.fit(config, f"under-{number}"))
            pair = (
                f"{one[-1]['seconds']:.1f} s after {one[-1]['start']:.1f} s"
                for one in (alone, under)
            )
            print(f"round {number + 1}: alone {next(pair)}, under Ray {next(pair)}", flush=True)
    finally:
        stop_ray()
    return alone, under


def main(argv: list[str] | None = None) -> int:
    """Print the ratio and the start-up; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="pairs (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.side:
        serve(fit_alone)
        return 0
    logging.basicConfig(level=logging.WARNING)
    print(f"{args.epochs} epochs, one trial, one thread; {tell_load()}")
    with tempfile.TemporaryDirectory() as scratch:
        alone, under = measure(Path(scratch), args.rounds, args.epochs)
    seconds = [[one["seconds"] for one in found] for found in (under, alone)]
    kept = judge("under Ray and MLflow / alone", Ratio.of(*seconds), most=AIM)
    start = statistics.median(one["start"] for one in under)
    in_time = start <= AIM_START_S
    bare = statistics.median(one["start"] for one in alone)
    print(
        f"start-up: {start:.1f} s, {bare:.1f} s of it in fit() alone (aim: at most {AIM_START_S:g} s)"
        f"{'' if in_time else '  MISSED'}"
    )
    return 0 if kept and in_time else 1


if __name__ == "__main__":
    sys.exit(main())
