"""Speed of a training step on a CPU: each network as a trial trains it, compared with plain eager PyTorch.

    python benchmarks/train_step.py [--model NAME ...] [--width W] [--batch B] [--timesteps T] [--rounds N]
    python benchmarks/train_step.py --extra half compiled    # more variants, without an aim; compiling takes a minute or two each

A side is a process with one thread, and the sides run their steps alternately on the same batches:

- ``trial``: channels last, the heap that retains freed memory, `tuning.train.training_step.TrainingStep`, as in a trial;
- ``plain``: the same network, loss and optimizer in float32 and torch's default layout, on the default heap;
- ``textbook`` (ConvLSTM): plain as well, one encoder pass per acquisition, two convolutions per gate and step;
- ``half``: as ``trial``, the forward pass under autocast to bfloat16; ``compiled``: as ``trial``, by torch.compile.

Prints how much longer the others take per step, the most that any way could gain (the step's arithmetic at the rate of a
large matrix product, told beside), and how far their losses lie apart: those of ``textbook`` are not compared,
since batch norm measures each acquisition on its own there; it is checked to be the same function in eval mode.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from _textbook import TextbookNetwork, check_same
from _turns import NETWORKS, Ratio, judge, serve, take_turns, tell_load
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from data.io.malloc import keep_freed_memory
from data.pack.dataset import Batch
from models import create_model, known_good
from tuning.campaign.stages import CLIP
from tuning.settings.presets import get_preset
from tuning.train.training_step import TrainingStep
from tuning.trial.search_space import KNOWN_GOOD

AIM, AIM_TEXTBOOK, AIM_GAP = 1.5, 2.0, 1e-3
# Nine tenths of what was reached, for --guard: with the aims missed, these still tell when a step has become slower.
FLOORS = {"unet": 1.3, "attention_unet": 1.15, "unet_convlstm": 1.2, "textbook": 1.15}
CHANNELS, SIDE_PX, BATCHES = 4, 128, 4
PRODUCT, PRODUCTS = 2048, 9  # side of the matrices, and how many are timed
WHOLE = 1000  # steps of the schedule
EPOCH_TILES = 174  # train tiles of the twin's split by blocks


def make_batches(size: int, timesteps: int) -> list[Batch]:
    """Make noise in which landslides, squares of 24 px, darken the later half of the acquisitions."""
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(BATCHES):
        x = torch.randn(size, timesteps, CHANNELS, SIDE_PX, SIDE_PX, generator=generator)
        mask = torch.zeros(size, SIDE_PX, SIDE_PX, dtype=torch.uint8)
        for tile, (row, column) in enumerate(
            torch.randint(SIDE_PX - 24, (size, 2), generator=generator)
        ):
            mask[tile, row : row + 24, column : column + 24] = 1
        x[:, timesteps // 2 :] -= 1.5 * mask[:, None, None]
        batches.append(Batch(x, mask))
    return batches


def make_network(kind: str, args: argparse.Namespace, x: Tensor) -> nn.Module:
    """Make the network of a side, with the weights that all sides start from."""
    torch.manual_seed(0)
    arch = known_good(args.model[0]) | {"width": args.width}
    network = create_model(args.model[0], CHANNELS, args.timesteps, **arch)
    if kind == "textbook":
        textbook = TextbookNetwork(network)  # type: ignore[arg-type]
        check_same(network, textbook, x)  # type: ignore[arg-type]
        return textbook
    return network if kind == "plain" else network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Half(nn.Module):
    """A network whose forward pass runs under autocast to bfloat16."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self.network(x)
        return logits


def make_side(kind: str, args: argparse.Namespace) -> Callable[[Any], Any]:
    """Return a function that runs a number of steps and returns seconds per tile and losses."""
    if kind not in ("plain", "textbook"):
        keep_freed_memory()
    torch.set_num_threads(1)
    batches = make_batches(args.batch, args.timesteps)
    network = make_network(kind, args, batches[0].x)
    if kind == "half":
        network = Half(network)
    if kind == "compiled":
        network.compile()
    steps = TrainingStep(KNOWN_GOOD | {"clip": CLIP}, network, WHOLE, torch.device("cpu"))
    network.train()
    torch.manual_seed(1)  # dropout
    taken = 0

    def work(count: int) -> dict[str, Any]:
        nonlocal taken
        losses, began = [], time.perf_counter()
        for _ in range(count):
            losses.append(float(steps.train_batch(batches[taken % BATCHES])[0]))
            steps.scheduler.step()
            taken += 1
        return {"seconds": (time.perf_counter() - began) / count / args.batch, "losses": losses}

    return work


def measure_limit(model: str, args: argparse.Namespace) -> float:
    """Return the seconds per tile of a step's arithmetic alone: float32, one thread, as a matrix product does it."""
    one = argparse.Namespace(**vars(args) | {"model": [model], "batch": 2})
    batch = make_batches(one.batch, one.timesteps)[0]
    network = make_network("plain", one, batch.x)
    with FlopCounterMode(display=False) as counter:
        network(batch.x).sum().backward()
    torch.set_num_threads(1)
    square = torch.randn(PRODUCT, PRODUCT)
    seconds = []
    for _ in range(PRODUCTS):
        began = time.perf_counter()
        torch.mm(square, square)
        seconds.append(time.perf_counter() - began)
    rate = 2 * PRODUCT**3 / statistics.median(seconds)
    return counter.get_total_flops() / one.batch / rate


def compare(model: str, args: argparse.Namespace) -> bool:
    """Print one network's ratios and loss differences; return whether all aims are met."""
    kinds = ["trial", "plain", *(["textbook"] if model == "unet_convlstm" else []), *args.extra]
    words = ["--model", model, "--width", str(args.width), "--batch", str(args.batch)]
    words += ["--timesteps", str(args.timesteps)]
    sides = {kind: [*words, "--side", kind] for kind in kinds}
    answers = take_turns(__file__, sides, [2, *[args.steps] * args.rounds])
    seconds = {kind: [one["seconds"] for one in found[1:]] for kind, found in answers.items()}
    losses = {
        kind: [loss for one in found for loss in one["losses"]] for kind, found in answers.items()
    }
    times = "  ".join(f"{kind} {1e3 * statistics.median(s):.1f}" for kind, s in seconds.items())
    limit = measure_limit(model, args)
    print(f"{model}: ms per tile: {times}  arithmetic alone {1e3 * limit:.1f}")
    kept = True
    for kind in kinds[1:]:
        aim = pick_aim(kind, model, guard=args.guard)
        kept &= judge(f"  {kind} / trial", Ratio.of(seconds[kind], seconds["trial"]), least=aim)
        print(f"  {kind} / arithmetic alone: {statistics.median(seconds[kind]) / limit:.2f}")
        if kind == "compiled":
            tell_break_even(answers[kind][0], answers["trial"][0], seconds, args)
        if kind != "textbook":
            pairs = zip(losses[kind], losses["trial"], strict=True)
            gaps = [abs(a - b) / abs(b) for a, b in pairs]
            print(
                f"  losses of {len(gaps)} steps differ by {max(gaps):.1e} at most (aim {AIM_GAP:.0e})"
            )
            kept &= aim is None or max(gaps) <= AIM_GAP
    return kept


def pick_aim(kind: str, model: str, *, guard: bool) -> float | None:
    """Return the aim of a side; None for one without an aim."""
    if kind not in ("plain", "textbook"):
        return None
    if guard:
        return FLOORS[model if kind == "plain" else kind]
    return AIM_TEXTBOOK if kind == "textbook" else AIM


def tell_break_even(first: Any, usual: Any, seconds: dict[str, list[float]], args: Any) -> None:
    """Print after how many epochs compiling pays off."""
    spent = 2 * args.batch * (first["seconds"] - usual["seconds"])
    saved = statistics.median(seconds["trial"]) - statistics.median(seconds["compiled"])
    epochs = f"{spent / (saved * EPOCH_TILES):.0f} epochs" if saved > 0 else "never"
    print(f"  compiling took {spent:.0f} s, earned back after: {epochs} of {EPOCH_TILES} tiles")


def main(argv: list[str] | None = None) -> int:
    """Print the ratios; return 1 if one misses its aim."""
    quick = get_preset("quick")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=NETWORKS, help="default: %(default)s")
    parser.add_argument("--width", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=quick.batch_size, help="default: %(default)s")
    parser.add_argument(
        "--timesteps", type=int, default=quick.timesteps, help="default: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=2, help="of a round (default: %(default)s)")
    parser.add_argument("--extra", nargs="+", default=[], choices=("half", "compiled"))
    parser.add_argument(
        "--guard",
        action="store_true",
        help="require nine tenths of the ratios that were reached, not the aims",
    )
    parser.add_argument("--side", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.side:
        serve(make_side(args.side, args))
        return 0
    print(
        f"width {args.width}, batch {args.batch}, {args.timesteps} acquisitions, one thread, {args.rounds} rounds "
        f"of {args.steps} steps; {tell_load()}"
    )
    kept = [compare(model, args) for model in args.model]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
