"""Growth of the cost with the number of trials, pixels and acquisitions, with a fitted exponent for each.

    python benchmarks/grow.py [--rounds N] [--without-trials]

Tables of training steps and of forward passes for 128 to 512 px and for 4 to 15 acquisitions, one thread, all sizes of a
table measured in turn in every round; and of whole stages of 1 to 8 trials under Ray with MLflow, on all cores. An exponent
is the slope of a line through the logarithms of seconds and size: 1 is proportional growth, less is cheaper. Pixels are
counted by area. The exit code is 1 if an exponent exceeds its aim.
"""

import argparse
import logging
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from _turns import tell_load
from side_by_side import time_stage
from track_trials import make_config, make_settings

from data.io.malloc import keep_freed_memory
from data.pack import make_pack
from data.pack.dataset import Batch
from data.splits import survey_catalogue
from data.twin import make_twin
from models import create_model, known_good
from tuning.campaign.stages import CLIP
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.settings.presets import pick_tiles
from tuning.train.training_step import TrainingStep
from tuning.trial.search_space import KNOWN_GOOD

AIM = 1.1
MODELS = ("unet", "unet_convlstm")
SIDES_PX, ACQUISITIONS, TRIALS = (128, 192, 256, 384, 512), (4, 6, 8, 12, 15), (1, 2, 4, 8)
CHANNELS, WIDTH, BATCH, TILES_PER_PART, EPOCHS = 4, 8, 4, 8, 3

Work = Callable[[], object]


def make_works(model: str, side: int, timesteps: int) -> tuple[Work, Work]:
    """Make a training step and a forward pass of one size."""
    torch.manual_seed(0)
    network = create_model(model, CHANNELS, timesteps, **known_good(model) | {"width": WIDTH})
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = TrainingStep(KNOWN_GOOD | {"clip": CLIP}, network, 1000, torch.device("cpu"))
    batch = Batch(
        torch.randn(BATCH, timesteps, CHANNELS, side, side),
        (torch.rand(BATCH, side, side) < 0.07).to(torch.uint8),
    )
    return lambda: steps.train_batch(batch), lambda: steps.validate_batch(batch)


def time_work(work: Work) -> float:
    """Return seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fit_exponent(sizes: list[float], seconds: list[float]) -> float:
    """Return the slope of log seconds over log size."""
    return float(
        np.polyfit([math.log(size) for size in sizes], [math.log(s) for s in seconds], 1)[0]
    )


def measure(works: Mapping[float, Work], rounds: int) -> list[dict[float, float]]:
    """Return the seconds of every size, round by round; a first one warms up."""
    found = [{size: time_work(work) for size, work in works.items()} for _ in range(rounds + 1)]
    return found[1:]


def tell(what: str, unit: str, found: list[dict[float, float]]) -> bool:
    """Print a table and its exponent; return whether it meets the aim."""
    middle = {size: statistics.median(one[size] for one in found) for size in found[0]}
    exponents = [fit_exponent(list(one), list(one.values())) for one in found]
    exponent = statistics.median(exponents)
    print(f"{what}:")
    for size, seconds in middle.items():
        print(
            f"  {size:>7,g} {unit:<13}{1e3 * seconds:>10.1f} ms{1e3 * seconds / size:>12.4g} ms each"
        )
    mark = "" if exponent <= AIM else "  MISSED"
    spread = f"{min(exponents):.2f} to {max(exponents):.2f}"
    print(f"  exponent {exponent:.2f} ({spread}; aim: at most {AIM:g}){mark}", flush=True)
    return exponent <= AIM


def grow_networks(rounds: int) -> list[bool]:
    """Measure pixels and acquisitions."""
    kept = []
    for model in MODELS:
        by_side = {float(side**2): make_works(model, side, ACQUISITIONS[0]) for side in SIDES_PX}
        by_time = {float(count): make_works(model, SIDES_PX[0], count) for count in ACQUISITIONS}
        for at, name in enumerate(("training step", "forward pass")):
            for unit, sizes in (("px", by_side), ("acquisitions", by_time)):
                works = {size: pair[at] for size, pair in sizes.items()}
                kept.append(tell(f"{model}, {name} on {BATCH} tiles", unit, measure(works, rounds)))
    return kept


def grow_trials(root: Path, rounds: int) -> bool:
    """Measure stages with an increasing number of trials."""
    tiles = make_twin(
        root / "data",
        tile_ids=pick_tiles("blocks", TILES_PER_PART, survey_catalogue()),
        progress=False,
    )
    pack = make_pack(tiles, root / "packs", units="dB")
    start_ray(make_settings())
    try:
        base = make_config(pack, 0) | {"epochs": EPOCHS, "patience": EPOCHS}
        configs = [base | {"seed": seed} for seed in range(TRIALS[-1])]
        time_stage(root, pack, configs[:2], "warm-up")
        found = [
            {float(n): time_stage(root, pack, configs[:n], f"{n}-{number}") for n in TRIALS}
            for number in range(rounds)
        ]
    finally:
        stop_ray()
    return tell(f"stages of trials of {EPOCHS} epochs", "trials", found)


def main(argv: list[str] | None = None) -> int:
    """Print the tables; return 1 if an exponent exceeds its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--without-trials", action="store_true", help="measure only networks")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    keep_freed_memory()
    torch.set_num_threads(1)
    print(f"width {WIDTH}, {args.rounds} rounds; {tell_load()}")
    kept = grow_networks(args.rounds)
    if not args.without_trials:
        with tempfile.TemporaryDirectory() as scratch:
            kept.append(grow_trials(Path(scratch), max(1, args.rounds - 1)))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
