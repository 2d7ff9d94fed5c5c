"""Epochs of a search until it is as good as a random search that trains every trial to the end.

    python benchmarks/search_epochs.py [--repetitions N] [--trials N] [--epochs N] [--pool N] [--cold] [--cache FILE]

Takes about ten minutes, and is not in `make bench-check`. All trainings are real (`tuning.train` on a few tiles of the twin, a
U-Net of width 8 and depth 3; learning rate, weight decay, loss, dropout, convolution and norm are searched), in
sequence on one thread. Random trials are trained at full length once, as a pool; a repetition's random search is a draw of its
trials from that pool without replacement, which is the only simulation. The project's search runs in each repetition
with other seeds: `tuning.search.optuna_asha` as in a campaign, known-good values first, TPE, ASHA, epoch by epoch, without
Ray; it ends when its best val average precision reaches that of the random search. Each ratio is its epochs until
then, divided by all epochs of the random search; it is infinite if the search never reaches it. ``--cold`` starts with a random
trial, to measure the contribution of the known-good values.
"""

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from _turns import tell_load
from ray.tune.schedulers import TrialScheduler
from track_trials import make_config

from data.io.malloc import keep_freed_memory
from data.pack import Pack, make_pack
from data.splits import survey_catalogue
from data.twin import make_twin
from tuning.search import optuna_asha
from tuning.settings.presets import pick_tiles
from tuning.train.fit import finish_training, is_training_finished, start_training
from tuning.train.training import BadTrialError
from tuning.trial.folder import VAL_AP, Row
from tuning.trial.search_space import Domain, LogUniform, first_sample, make_space
from tuning.trial.stage import Stage, StageJob

AIM = 0.25
TILES_PER_PART = 16
CPU = torch.device("cpu")


def draw_sample(space: dict[str, Domain], rng: random.Random) -> dict[str, Any]:
    """Draw a random sample, each value independently."""
    return {
        name: math.exp(rng.uniform(math.log(domain.low), math.log(domain.high)))
        if isinstance(domain, LogUniform)
        else rng.choice(domain)
        for name, domain in space.items()
    }


class Trainer:
    """Trains samples of one space, epoch by epoch, in folders of a stage."""

    def __init__(self, pack: Pack, root: Path, trials: int, epochs: int) -> None:
        self.pack, self.root, self.trials, self.epochs = pack, root, trials, epochs
        self.space = make_space("unet", "sizes")
        fixed = make_config(pack, 42) | {"epochs": epochs, "patience": epochs}
        self.fixed = {
            name: value for name, value in fixed.items() if name not in (*self.space, "arch")
        }

    def make_stage(self, name: str) -> Stage:
        """Make a stage in its own folder."""
        folder = self.root / name / "trials"
        folder.mkdir(parents=True)
        return Stage(
            name,
            StageJob("search", self.fixed, str(self.pack.path), str(folder)),
            self.trials,
            self.epochs,
        )

    def train(self, stage: Stage, sample: dict[str, Any], judge: Any) -> list[Row]:
        """Train a sample until it ends or *judge* of a row says so; return its rows, none of a failed one's last epoch."""
        trial_folder, rows = stage.job.folder(sample), []
        try:
            begun = start_training(
                stage.job.config(sample), self.pack, trial_folder, lambda row: None, CPU
            )
            assert not isinstance(begun, str)  # noqa: S101 - for mypy: the folder is new
            while not is_training_finished(begun):
                rows.append(begun.run_epoch())
                if judge(rows[-1]):
                    return rows
            finish_training(begun)
        except BadTrialError as error:
            trial_folder.end("error", message=str(error))
        return rows


def train_pool(trainer: Trainer, count: int) -> list[list[float]]:
    """Train random samples at full length; return their best val average precision, epoch by epoch."""
    rng, stage = random.Random(0), trainer.make_stage("pool")  # noqa: S311 - no secret
    curves = []
    for number in range(count):
        rows = trainer.train(stage, draw_sample(trainer.space, rng), lambda row: False)
        curves.append([row[VAL_AP] for row in rows])
        print(
            f"random {number + 1}/{count}: {curves[-1][-1] if rows else math.nan:.3f}", flush=True
        )
    return curves


def search(
    trainer: Trainer, name: str, target: float, first: dict[str, Any], seed: int
) -> tuple[int, float]:
    """Search until a val average precision is reached; return the epochs spent and the best one found."""
    stage = trainer.make_stage(name)
    searcher = optuna_asha.make_searcher(trainer.space, first, stage, {}, {}, seed)
    scheduler = optuna_asha.make_scheduler(stage, [])
    spent, best = 0, 0.0
    for number in range(trainer.trials):
        trial: Any = SimpleNamespace(
            trial_id=f"{name}-{number}", config=searcher.suggest(f"{name}-{number}")
        )
        scheduler.on_trial_add(optuna_asha._NO_CONTROLLER, trial)

        def judge(row: Row, trial: Any = trial) -> bool:
            action = scheduler.on_trial_result(optuna_asha._NO_CONTROLLER, trial, row)
            return row[VAL_AP] >= target or action == TrialScheduler.STOP

        rows = trainer.train(stage, trial.config, judge)
        spent += len(rows)
        best = max([best, *(row[VAL_AP] for row in rows)])
        if best >= target:
            break
        searcher.on_trial_complete(trial.trial_id, rows[-1] if rows else None)
        if rows:
            scheduler.on_trial_complete(optuna_asha._NO_CONTROLLER, trial, rows[-1])
    return spent, best


def measure(root: Path, args: argparse.Namespace) -> list[float]:
    """Return each repetition's fraction of the random search's epochs."""
    tiles = make_twin(
        root / "data",
        tile_ids=pick_tiles("blocks", TILES_PER_PART, survey_catalogue()),
        progress=False,
    )
    pack = make_pack(tiles, root / "packs", units="dB")
    trainer = Trainer(pack, root, args.trials, args.epochs)
    cached = args.cache and args.cache.is_file()
    curves = json.loads(args.cache.read_text()) if cached else train_pool(trainer, args.pool)
    if args.cache and not cached:
        args.cache.write_text(json.dumps(curves))
    shares = []
    for number in range(args.repetitions):
        drawn = random.Random(1000 + number).sample(curves, args.trials)  # noqa: S311 - no secret
        target = max(curve[-1] for curve in drawn if curve)
        whole = sum(map(len, drawn))
        first = first_sample("unet", trainer.space)
        if args.cold:
            first = draw_sample(trainer.space, random.Random(2000 + number))  # noqa: S311
        spent, best = search(trainer, f"search-{number}", target, first, 42 + 1000 * number)
        shares.append(spent / whole if best >= target else math.inf)
        print(
            f"repetition {number + 1}: random search {target:.3f} after {whole} epochs; the project's {best:.3f} after "
            f"{spent}, {shares[-1]:.2f} of them",
            flush=True,
        )
    return shares


def main(argv: list[str] | None = None) -> int:
    """Print the median fraction of epochs; return 1 if it exceeds its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--trials", type=int, default=16, help="of a search (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="full length (default: %(default)s)")
    parser.add_argument("--pool", type=int, default=32, help="random trials (default: %(default)s)")
    parser.add_argument(
        "--cold", action="store_true", help="begin with a random trial instead of known-good values"
    )
    parser.add_argument("--cache", type=Path, help="file to keep the pool's curves in, for a rerun")
    args = parser.parse_args(argv)
    if args.pool < args.trials:
        parser.error(f"--pool must be --trials or more, but got {args.pool} and {args.trials}.")
    keep_freed_memory()
    torch.set_num_threads(1)
    print(f"{args.trials} trials of {args.epochs} epochs; {tell_load()}")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        shares = measure(Path(scratch), args)
    middle = statistics.median(shares)
    mark = "" if middle <= AIM else "  MISSED"
    print(f"epochs to the random search's best: {middle:.2f} of its ", end="")
    print(f"({min(shares):.2f} to {max(shares):.2f}; aim: at most {AIM:g}){mark}")
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0 if middle <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
