"""Speed of mapping a scene, compared with the network's bare forward pass, and its memory.

    python benchmarks/map_scene.py [--side PX] [--window PX] [--device cpu]

The network is the U-Net with its known-good values. Rounds of its bare forward pass (as trained, on normalised windows,
nothing read, blended or written) alternate with rounds of mapping a scene of 2,912 x 2,912 px in the same process; the
ratio is the median over rounds. The times for polygons, picture and cloud-optimised files are printed as well. Then the
whole command runs on that scene and on one of 10,000 x 10,000 px (10,000 km2), each in its own process.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.io.malloc import keep_freed_memory
from data.pack.normalisation import Normalisation
from data.scene.base import InputSpec
from data.scene.open import open_scene
from models import create_model
from models.unet import KNOWN_GOOD
from tuning.predict import write_map
from tuning.predict.cog import RasterWriter, choose_layers
from tuning.predict.ensemble import Member
from tuning.predict.predictor import Predictor
from tuning.predict.sliding_window import map_scene
from tuning.registry.map_facts import MODEL_FACTS
from tuning.serving.network import make_program
from tuning.serving.onnx_export import save_program
from tuning.serving.program import load_program
from tuning.serving.stored_network import read_network, write_network
from tuning.train.checkpoints import Checkpoint

sys.path.insert(0, str(Path(__file__).parent))
from _scene import make_scene

CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
NORM = Normalisation(CHANNELS, (-9.0, -15.5, -9.0, -15.5), (3.5, 4.0, 3.5, 4.0))
SMALL = 2_912  # six windows of 512 px a side
AIM_SPEED, AIM_MEMORY = 0.9, 2.0
ROUNDS = 5
EVENT = np.datetime64("2018-09-05T18:08", "s")
ORIGINS = ("learnt_on", "made_from")


def make_member(folder: Path) -> tuple[Member, torch.nn.Module]:
    """Make a network with random weights, whose threshold one pixel in a thousand reaches."""
    torch.manual_seed(0)
    model = create_model("unet", len(CHANNELS), 4, **KNOWN_GOOD)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    noise = torch.randn(4, 4, len(CHANNELS), 128, 128)
    model(noise)
    model.eval()
    config: dict[str, Any] = {"model": "unet", "timesteps": 4, "steps": "even"}
    program = make_program(Checkpoint(config, model, NORM, 1, 0.5))
    reference = save_program(program, NORM, folder / "model.onnx")
    config |= {"arch": KNOWN_GOOD, "channels": list(CHANNELS)}
    write_network(program, config, NORM, int(reference["multiple"]), folder)
    with torch.no_grad():
        threshold = float(model(noise).sigmoid().quantile(0.999))
    spec = InputSpec(CHANNELS, 4, "even", EVENT)
    loaded, network = load_program(folder / "model.onnx", threads=1), read_network(folder)
    return Member("random", loaded, network, spec, threshold, True), model


@torch.inference_mode()
def measure_forward(
    model: torch.nn.Module, window: int, device: torch.device, windows: int
) -> float:
    """Return the bare network's km2 per second."""
    network = model.to(device, memory_format=torch.channels_last)
    x = torch.randn(1, 4, len(CHANNELS), window, window, device=device)
    network(x)
    began = time.perf_counter()
    for _ in range(windows):
        network(x)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return windows * window**2 * 1e-4 / (time.perf_counter() - began)


def measure_mapping(job: write_map.MapJob) -> float:
    """Return the km2 per second of reading, predicting, blending and writing."""
    scene, predictor = job.scene, job.predictor
    windows = scene.list_windows(job.window_px, job.overlap_px)
    layers = choose_layers(predictor.layers, scene.spec.orbits)
    with (
        tempfile.TemporaryDirectory() as folder,
        RasterWriter(Path(folder), scene.grid, layers, {}) as rasters,
    ):
        began = time.perf_counter()
        map_scene(scene, windows, predictor, rasters.write, threshold=job.threshold)
        seconds = time.perf_counter() - began
        return scene.grid.height * scene.grid.width * 1e-4 / seconds


def make_job(folder: Path, args: argparse.Namespace) -> tuple[write_map.MapJob, torch.nn.Module]:
    """Open the scene with a random network."""
    member, model = make_member(folder)
    predictor = Predictor([member], torch.device(args.device))
    scene = open_scene(args.scene, member.spec)
    facts = {"model": "random", "input": "scene"} | dict.fromkeys(MODEL_FACTS, "")
    facts |= dict.fromkeys(ORIGINS, "synthetic")
    return write_map.MapJob(scene, predictor, member.threshold, args.window, 32, facts), model


def take_turns(args: argparse.Namespace) -> list[tuple[float, float]]:
    """Return each round's rates of forward pass and mapping, after one round that is not counted."""
    rates = []
    with tempfile.TemporaryDirectory() as name:
        job, model = make_job(Path(name), args)
        for _ in range(ROUNDS + 1):
            count = len(job.scene.list_windows(args.window, 32))
            forward = measure_forward(model, args.window, torch.device(args.device), count)
            rates.append((forward, measure_mapping(job)))
    return rates[1:]


def run_one(args: argparse.Namespace) -> dict[str, Any]:
    """Map one scene in this process; return its size, seconds and peak memory."""
    keep_freed_memory()
    if args.turns:
        return {"rates": take_turns(args)}
    with tempfile.TemporaryDirectory() as name:
        job, _ = make_job(Path(name), args)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        began = time.perf_counter()
        totals = write_map.make_map(job, Path(name) / "map")
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "km2": totals.mapped_m2 / 1e6,
        "seconds": seconds,
        "landslides": totals.count,
        "before_mb": before,
        "peak_mb": peak,
    }


def run_apart(scene: Path, args: argparse.Namespace, *more: str) -> dict[str, Any]:
    """Call :func:`run_one` in its own process."""
    words = ["--scene", str(scene), "--window", str(args.window), "--device", args.device]
    done = subprocess.run(  # noqa: S603 - this script
        [sys.executable, __file__, *words, *more], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare_speed(scene: Path, args: argparse.Namespace) -> float:
    """Print each round; return the median ratio."""
    ratios = []
    for forward, mapping in run_apart(scene, args, "--turns")["rates"]:
        ratios.append(mapping / forward)
        print(f"  forward {forward:6.1f} km2/s  mapping {mapping:6.1f} km2/s  {ratios[-1]:.2f}")
    found = statistics.median(ratios)
    print(
        f"mapping / forward: {found:.2f} ({min(ratios):.2f} to {max(ratios):.2f}; aim {AIM_SPEED})"
    )
    return found


def compare_memory(scenes: Sequence[Path], args: argparse.Namespace) -> float:
    """Print what each scene takes in all; return the ratio of the peaks."""
    found = [run_apart(scene, args) for scene in scenes]
    for one in found:
        print(
            f"  {one['km2']:6,.0f} km2 in {one['seconds']:.0f} s, {one['landslides']:,} landslides; memory "
            f"{one['before_mb']:.0f} MB before, {one['peak_mb']:.0f} MB at most"
        )
    times = found[1]["km2"] / found[0]["km2"]
    ratio: float = found[1]["peak_mb"] / found[0]["peak_mb"]
    print(f"memory for {times:.0f} times the area: {ratio:.2f} of it (aim {AIM_MEMORY})")
    return ratio


def main(argv: list[str] | None = None) -> int:
    """Print rates, memory and their ratios; return 1 when one falls short of its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="px (default: %(default)s)")
    parser.add_argument("--window", type=int, default=512, help="px (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--turns", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.scene:
        print(json.dumps(run_one(args)))
        return 0
    print(f"{args.device}, {torch.get_num_threads()} threads, windows of {args.window} px:")
    with tempfile.TemporaryDirectory() as folder:
        scenes = [make_scene(Path(folder), side) for side in (SMALL, args.side)]
        enough = compare_speed(scenes[0], args) >= AIM_SPEED
        bounded = compare_memory(scenes, args) <= AIM_MEMORY
    return 0 if enough and bounded else 1


if __name__ == "__main__":
    sys.exit(main())
