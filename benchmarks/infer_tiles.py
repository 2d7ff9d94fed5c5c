"""Speed of a logged network on tiles, after a warm-up, compared with the bare forward pass of the same network.

    python benchmarks/infer_tiles.py [--model NAME ...] [--rounds N]

The bare pass is the network in eval mode in PyTorch, channels last, on normalised input. Compared with it, alternately in
one process, on one thread and on all, with NumPy input and output: the logged network in ONNX Runtime
(`tuning.serving.program.Program`: normalisation, network, calibration), and through
`tuning.serving.pyfunc_model.LandslideModel`, as MLflow serves it (the choice among 15 acquisitions and the input's checks, too).
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from _turns import NETWORKS, Ratio, judge, tell_load

from data.io.malloc import keep_freed_memory
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from models import create_model, known_good
from tuning.serving.network import list_input_steps, make_program
from tuning.serving.onnx_export import save_program
from tuning.serving.program import Program, load_program
from tuning.serving.pyfunc_model import LandslideModel
from tuning.serving.reference import make_example
from tuning.train.checkpoints import Checkpoint

AIMS = {"program": 1.0, "served": 0.95}  # least rate of the bare pass
MEDIAN_AIM = 1.2  # of the program over networks and batches
CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
NORM = Normalisation(CHANNELS, (-9.0, -15.5, -9.0, -15.5), (3.5, 4.0, 3.5, 4.0))
BATCHES, TIMESTEPS, TILE_PX = (1, 32), 4, 128
TILES = 16  # of a measurement, or one batch

Way = Callable[[], Any]


def make_logged(model: str, folder: Path) -> tuple[torch.nn.Module, Program, LandslideModel]:
    """Make a network with random weights, its program as a run logs it, and as MLflow loads it."""
    torch.manual_seed(0)
    network = create_model(model, len(CHANNELS), TIMESTEPS, **known_good(model)).eval()
    config: dict[str, Any] = {"model": model, "timesteps": TIMESTEPS, "steps": "even"}
    program = make_program(Checkpoint(config, network, NORM, 1, 0.5))
    save_program(program, NORM, folder / "model.onnx")
    facts = {"channels": CHANNELS, "timesteps": TIMESTEPS, "steps": "even", "threshold": 0.5}
    facts |= {"data": "", "events": "", "series": ACQUISITIONS}
    facts |= {"acquisitions": list_input_steps(config)}
    (folder / "facts.json").write_text(json.dumps(facts))
    served = LandslideModel()
    artifacts = {"facts": str(folder / "facts.json"), "program": str(folder / "model.onnx")}
    served.load_context(SimpleNamespace(artifacts=artifacts, model_config={"device": "cpu"}))
    threads = torch.get_num_threads()
    served.program = load_program(folder / "model.onnx", threads=threads)
    return network, served.program, served


def make_ways(
    network: torch.nn.Module, program: Program, served: LandslideModel, batch: int
) -> dict[str, Way]:
    """Return the bare pass and the compared variants for one batch."""
    bare = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    whole = make_example(NORM, ACQUISITIONS, batch, TILE_PX)
    few = whole[:, :TIMESTEPS].copy()
    x = torch.randn(few.shape)
    return {
        "bare": lambda: bare(x),
        "program": lambda: program(few),
        "served": lambda: served.predict(None, whole),
    }


@torch.inference_mode()
def measure(way: Way, batch: int) -> float:
    """Return seconds per tile."""
    count = max(1, TILES // batch)
    began = time.perf_counter()
    for _ in range(count):
        way()
    return (time.perf_counter() - began) / (count * batch)


def compare(model: str, batch: int, ways: dict[str, Way], rounds: int) -> dict[str, Ratio]:
    """Print rates and return their ratios to the bare pass."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else list(ways)[::-1]:
            taken = measure(ways[name], batch)
            if number:  # the first is warm-up
                seconds[name].append(taken)
    times = "  ".join(f"{name} {1e3 * statistics.median(s):.2f}" for name, s in seconds.items())
    print(f"{model}, batch {batch}: ms per tile: {times}")
    return {name: Ratio.of(seconds["bare"], s) for name, s in seconds.items() if name != "bare"}


def compare_all(models: Sequence[str], threads: int, rounds: int) -> bool:
    """Compare every network and batch on some threads; return whether all aims are met."""
    torch.set_num_threads(threads)
    kept, rates = [], []
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            logged = make_logged(model, Path(folder))
            for batch in BATCHES:
                ratios = compare(model, batch, make_ways(*logged, batch), rounds)
                rates.append(ratios["program"].middle)
                kept += [
                    judge(f"  {name} / bare, rate", one, least=AIMS[name])
                    for name, one in ratios.items()
                ]
    median = statistics.median(rates)
    print(f"{threads} threads: median of program / bare {median:.2f} (aim: at least {MEDIAN_AIM})")
    return all(kept) and median >= MEDIAN_AIM


def main(argv: list[str] | None = None) -> int:
    """Print the ratios; return 1 if one misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=NETWORKS, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = parser.parse_args(argv)
    keep_freed_memory()  # as the map's command does, for both sides
    print(f"known-good values, {TIMESTEPS} acquisitions, {args.rounds} rounds; {tell_load()}")
    kept = [
        compare_all(args.model, threads, args.rounds)
        for threads in sorted({1, len(os.sched_getaffinity(0))})
    ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
