"""Time to load a registered model in a fresh process, the time to log one, and the installed size of what loading needs.

    python benchmarks/load_model.py [--rounds N]

Logs six seeds of each network with its known-good values to a temporary tracker. A fresh process per round loads the model
with ``mlflow.pyfunc.load_model`` and predicts one tile; it runs alternately with one that imports MLflow's loader alone, so
that the model's own share shows. Sizes are those of the installed packages and of everything that they require.
"""

import argparse
import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from _turns import NETWORKS
from packaging.requirements import Requirement

from data.pack.normalisation import Normalisation
from models import create_model, known_good
from tuning.tracking.client import connect
from tuning.tracking.log_model import REQUIRED, log_model
from tuning.trial.folder import TrialFolder

AIM_LOAD, AIM_LOG = 2.0, 0.3  # s
SEEDS = 6
CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
NORM = Normalisation(CHANNELS, (-9.0, -15.5, -9.0, -15.5), (3.5, 4.0, 3.5, 4.0))
LOAD = """
import sys, time
began = time.perf_counter()
import mlflow, mlflow.pyfunc
imported = time.perf_counter()
if len(sys.argv) > 1:
    import numpy as np
    mlflow.pyfunc.load_model(sys.argv[1]).predict(np.full((1, 15, 4, 128, 128), -12, np.float32))
print(imported - began, time.perf_counter() - imported)
"""


def write_trial(name: str, seed: int, folder: Path) -> TrialFolder:
    """Write a network with random weights as a trial's best checkpoint."""
    torch.manual_seed(seed)
    arch = known_good(name)
    model = create_model(name, len(CHANNELS), 4, **arch)
    config = {"model": name, "arch": arch, "channels": list(CHANNELS), "timesteps": 4}
    trial = TrialFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    norm = {"channels": CHANNELS, "mean": NORM.mean, "std": NORM.std}
    content = {"config": config | {"steps": "even"}, "model": model.state_dict(), "norm": norm}
    torch.save(content | {"epoch": 1, "threshold": 0.5}, trial.best)
    return trial


def log_all(root: Path) -> dict[str, str]:
    """Log some seeds of each network; print the core seconds; return the last one's folder by name."""
    client, experiment = connect(root)
    found = {}
    for name in NETWORKS:
        seconds = []
        for seed in range(SEEDS):
            run = client.create_run(experiment).info.run_id
            trial = write_trial(name, seed, root / name / str(seed))
            began = time.process_time()
            uri = log_model(client, experiment, run, trial, {"data": "synthetic"}, {})
            seconds.append(time.process_time() - began)
        location = client.get_logged_model(uri.removeprefix("models:/")).artifact_location
        found[name] = str(location).removeprefix("file://")
        others = statistics.median(seconds[1:])
        mark = "" if others <= AIM_LOG else "  MISSED"
        print(
            f"{name}: logged in {seconds[0]:.2f} core s, each other seed in {others:.2f} "
            f"({min(seconds[1:]):.2f} to {max(seconds[1:]):.2f}; aim {AIM_LOG}){mark}"
        )
    return found


def time_load(*words: str) -> tuple[float, float]:
    """Return the seconds of a fresh process for MLflow's import, and for the rest."""
    command = [sys.executable, "-c", LOAD, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    imported, rest = map(float, done.stdout.split()[-2:])
    return imported, rest


def measure_size(*names: str) -> float:
    """Return the MB of some installed packages and of all that they require."""
    todo, seen, total = list(names), set[str](), 0
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        found = importlib.metadata.distribution(name)
        total += sum(file.size or 0 for file in found.files or ())
        needed = map(Requirement, found.requires or ())
        todo += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    return total / 1e6


def main(argv: list[str] | None = None) -> int:
    """Print times and sizes; return 1 if a model loads too slowly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    kept = True
    with tempfile.TemporaryDirectory() as temporary:
        for name, folder in log_all(Path(temporary)).items():
            rounds = [time_load(folder) for _ in range(args.rounds)]
            imported, own = (statistics.median(one) for one in zip(*rounds, strict=True))
            kept &= imported + own <= AIM_LOAD
            print(
                f"{name}: {imported + own:.2f} s in a fresh process (aim {AIM_LOAD}): MLflow's import {imported:.2f}, "
                f"loading and one tile {own:.2f}"
            )
    print(f"installed: {measure_size(*REQUIRED):,.0f} MB for {', '.join(REQUIRED)}")
    heavy = ["torch", *(name for name in REQUIRED if name != "onnxruntime")]
    print(f"installed: {measure_size(*heavy):,.0f} MB for {', '.join(heavy)}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
