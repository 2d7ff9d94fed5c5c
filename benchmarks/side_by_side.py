"""Time of several parallel trials on one machine's cores, compared with the same trials in sequence.

    python benchmarks/side_by_side.py [--trials N] [--rounds N]

A round trains the same configs twice under Ray, one core and one thread each, with MLflow: each as its own stage,
and all in one stage, with as many in parallel as there are cores. The limit is the sum of the former divided by the cores, in
whole trials. Also printed: one bare process of `tuning.train.fit` per core in parallel, compared with one alone, which shows
the effect of the memory and clock that the cores share.
"""

import argparse
import logging
import math
import sys
import tempfile
import time
from pathlib import Path

from _turns import Ratio, Side, judge, serve, tell_load
from fit_under_ray import fit_alone, read_times
from track_trials import make_config, make_settings

from data.io.processes import count_cpus
from data.pack import Pack, make_pack
from data.splits import survey_catalogue
from data.twin import make_twin
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.run_queue import run_queue
from tuning.search.work import repeat_alone
from tuning.settings.presets import pick_tiles
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.folder import Config, write_json
from tuning.trial.stage import Stage, StageJob

AIM = 1.1
TILES_PER_PART = 24
EPOCHS = 48  # as long as the shortest repeat trials of the preset quick


def time_stage(root: Path, pack: Pack, configs: list[Config], name: str) -> float:
    """Train all configs, one core for each; return the seconds from the first epoch's start to the last one's end."""
    context = CampaignContext(
        name, "quick", "blocks", "s", pack.hash, "synthetic", "s1", "4 even", "c"
    )
    job = StageJob("repeat", {}, str(pack.path), str(root / name / "trials"))
    delivery = MLflowSender(root, context, DataRecord("hokkaido-twin", pack.hash, "twin", {}, {}))
    stage = Stage("repeat", job, len(configs), EPOCHS)
    run_queue([repeat_alone(configs, stage, delivery, Resources(1, 0))], root / name / "ray")
    times = [read_times(job.folder({"config": config})) for config in configs]
    return max(began + seconds for began, seconds in times) - min(began for began, _ in times)


def time_bare(root: Path, pack: Pack, at_once: int, name: str) -> float:
    """Train in parallel bare processes; return the seconds of the slowest."""
    words = {"pack": str(pack.path), "config": str(root / "config.json")}
    sides = [Side(str(Path(__file__)), ["--side"]) for _ in range(at_once)]
    for number, side in enumerate(sides):
        side.send(words | {"to": str(root / f"{name}-{number}")})
    seconds = [float(side.receive()["seconds"]) for side in sides]
    for side in sides:
        side.close()
    return max(seconds)


def measure(root: Path, trials: int, rounds: int) -> tuple[Ratio, Ratio]:
    """Return the ratios of parallel trials and of parallel bare processes to their limit."""
    tiles = make_twin(
        root / "data",
        tile_ids=pick_tiles("blocks", TILES_PER_PART, survey_catalogue()),
        progress=False,
    )
    pack, cores = make_pack(tiles, root / "packs", units="dB"), count_cpus()
    base = make_config(pack, 0) | {"epochs": EPOCHS, "patience": EPOCHS}
    configs = [base | {"seed": seed} for seed in range(trials)]
    write_json(root / "config.json", base)
    start_ray(make_settings())
    ideals, whole, bare_ideals, bare = [], [], [], []
    try:
        time_stage(root, pack, configs[:cores], "warm-up")
        for number in range(rounds):
            began = time.perf_counter()
            each = (
                time_stage(root, pack, [config], f"alone-{number}-{config['seed']}")
                for config in configs
            )
            serial = sum(each)
            ideals.append(serial / trials * math.ceil(trials / cores))
            whole.append(time_stage(root, pack, configs, f"at-once-{number}"))
            bare_ideals.append(time_bare(root, pack, 1, f"bare-{number}"))
            bare.append(time_bare(root, pack, cores, f"bares-{number}"))
            print(
                f"round {number + 1}: one by one {serial:.1f} s, at once {whole[-1]:.1f} s; bare {bare_ideals[-1]:.1f} s, "
                f"{cores} at once {bare[-1]:.1f} s ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )
    finally:
        stop_ray()
    return Ratio.of(whole, ideals), Ratio.of(bare, bare_ideals)


def main(argv: list[str] | None = None) -> int:
    """Print the ratio of parallel trials to the limit; return 1 if it misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2 * count_cpus(), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--side", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.side:
        serve(fit_alone)
        return 0
    logging.basicConfig(level=logging.WARNING)
    print(f"{args.trials} trials of {EPOCHS} epochs on {count_cpus()} cores; {tell_load()}")
    with tempfile.TemporaryDirectory() as scratch:
        at_once, bare = measure(Path(scratch), args.trials, args.rounds)
    judge("bare processes at once / one alone", bare)
    return 0 if judge("trials at once / limit of the cores", at_once, most=AIM) else 1


if __name__ == "__main__":
    sys.exit(main())
