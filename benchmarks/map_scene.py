"""How fast a scene becomes a map, against the bare forward pass of its network, and in how much memory.

    python benchmarks/map_scene.py [--side PX] [--window PX] [--device cpu]

Two scenes, the larger of 10,000 x 10,000 px (10,000 km2), are mapped by the U-Net with its known-good values, each in a
process of its own. The bare forward pass is the same network on normalised windows of 512 px, one after the other, with
nothing read, blended or written. The mapping is all that goes through the windows; polygons, picture and the copy into
cloud-optimised files follow and are told beside.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.norm import Norm
from data.scene import Need
from data.scenes import open_scene
from models import create_model
from models.unet import KNOWN_GOOD
from tuning import maps
from tuning.evaluate import Checkpoint
from tuning.export import make_program, make_reference, save_program
from tuning.heap import keep_freed_memory
from tuning.members import Member
from tuning.predictor import Predictor
from tuning.served_program import load_program

sys.path.insert(0, str(Path(__file__).parent))
from _scene import make_scene

CHANNELS = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
NORM = Norm(CHANNELS, (-9.0, -15.5, -9.0, -15.5), (3.5, 4.0, 3.5, 4.0))
SMALL = 2_500
AIM_SPEED, AIM_MEMORY = 0.8, 2.0
FORWARDS = 5


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
    save_program(program, make_reference(program, NORM), folder / "program.pt2")
    with torch.no_grad():
        threshold = float(model(noise).sigmoid().quantile(0.999))
    need = Need(CHANNELS, 4, "even")
    return Member("random", load_program(folder / "program.pt2"), need, threshold, True), model


@torch.inference_mode()
def measure_forward(model: torch.nn.Module, window: int, device: torch.device) -> float:
    """Return the bare network's km2 per second."""
    network = model.to(device, memory_format=torch.channels_last)
    x = torch.randn(1, 4, len(CHANNELS), window, window, device=device)
    network(x)
    began = time.perf_counter()
    for _ in range(FORWARDS):
        network(x)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return FORWARDS * window**2 * 1e-4 / (time.perf_counter() - began)


def run_one(args: argparse.Namespace) -> dict[str, float]:
    """Map one scene in this process; return rates, seconds and peak memory."""
    keep_freed_memory()
    device = torch.device(args.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        member, model = make_member(folder)
        forward = [measure_forward(model, args.window, device)]
        scene = open_scene(args.scene, member.need)
        predictor = Predictor([member], device)
        facts = {"model": "random", "input": "scene", "data": "synthetic"}
        job = maps.Job(scene, predictor, member.threshold, args.window, 32, facts)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        seconds = {}
        began = time.perf_counter()
        mapped = maps.map_scene

        def timed(*words: Any, **named: Any) -> None:
            start = time.perf_counter()
            mapped(*words, **named)
            seconds["mapping"] = time.perf_counter() - start

        maps.map_scene = timed
        totals = maps.make_map(job, folder / "map")
        whole = time.perf_counter() - began
        forward.append(measure_forward(model, args.window, device))
    km2 = totals.mapped_m2 / 1e6
    return {
        "km2": km2,
        "forward": float(np.mean(forward)),
        "mapping": km2 / seconds["mapping"],
        "whole": km2 / whole,
        "landslides": totals.count,
        "before_mb": before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def run_apart(scene: Path, args: argparse.Namespace) -> dict[str, float]:
    """Map a scene in a process of its own."""
    words = ["--scene", str(scene), "--window", str(args.window), "--device", args.device]
    done = subprocess.run(  # noqa: S603 - this script
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: list[str] | None = None) -> int:
    """Print rates, memory and their ratios; return 1 when one falls short of its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="px (default: %(default)s)")
    parser.add_argument("--window", type=int, default=512, help="px (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.scene:
        print(json.dumps(run_one(args)))
        return 0
    print(f"{args.device}, {torch.get_num_threads()} threads; km2 per second, peak memory in MB:")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for side in (SMALL, args.side):
            one = run_apart(make_scene(Path(folder), side), args)
            found.append(one)
            print(
                f"  {side:6,} px: forward {one['forward']:6.1f}  mapping {one['mapping']:6.1f}  with polygons "
                f"and files {one['whole']:6.1f}  {one['landslides']:,} landslides  memory "
                f"{one['before_mb']:.0f} before, {one['peak_mb']:.0f} at most"
            )
    small, large = found
    speed = large["mapping"] / large["forward"]
    memory = large["peak_mb"] / small["peak_mb"]
    print(f"mapping / forward: {speed:.2f} (aim {AIM_SPEED})")
    times = large["km2"] / small["km2"]
    print(f"memory for {times:.0f} times the area: {memory:.2f} of it (aim {AIM_MEMORY})")
    return 0 if speed >= AIM_SPEED and memory <= AIM_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
