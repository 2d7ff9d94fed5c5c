"""Print a Markdown table of all networks: weights, multiply-accumulates of a tile, time of a training step and of inference.

``python benchmarks/networks_table.py`` measures the narrow networks (the values that the preset ``quick`` tries first) and counts
the published ones; ``--time-published`` measures these too, which takes minutes and several GB on a CPU.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from _turns import tell_load
from torch import Tensor, nn

from models import (
    apply_network,
    count_gmac,
    create_model,
    list_models,
    narrow_arch,
    published,
    reads_dates,
    use_channels_last,
)
from tuning.campaign.stages import CLIP
from tuning.train.losses import bce_dice
from tuning.trial.search_space import KNOWN_GOOD

SIDE_PX, ROUNDS = 128, 3
SIZES: dict[str, Callable[[str], dict[str, Any]]] = {
    "narrow": narrow_arch,
    "published": published,
}
COLUMNS = (
    "network",
    "size",
    "parameters",
    "GMAC a tile",
    "core s a step",
    "core ms a tile",
    "reads dates",
)


def measure(work: Callable[[], None]) -> float:
    """Return the median seconds of a core that a piece of work takes, after one that does not count.

    On one thread they hardly depend on what else the machine does.
    """
    work()
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return median(seconds)


def time_network(network: nn.Module, x: Tensor, days: Tensor, mask: Tensor) -> tuple[float, float]:
    """Return a core's seconds for a training step on a batch, and its milliseconds for a tile's forward pass."""
    optimizer = torch.optim.AdamW(network.parameters(), KNOWN_GOOD["lr"])

    def step() -> None:
        logits = apply_network(network, x, days)
        loss = bce_dice(logits, mask, KNOWN_GOOD["bce_weight"], KNOWN_GOOD["pos_weight"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()

    @torch.inference_mode()
    def infer() -> None:
        apply_network(network, x[:1], days[:1])

    seconds = measure(step)
    network.eval()
    return seconds, 1000 * measure(infer)


def make_row(name: str, size: str, args: argparse.Namespace) -> list[str]:
    """Measure one network of one size."""
    torch.manual_seed(0)
    arch, sizes = SIZES[size](name), (args.channels, args.timesteps)
    network = use_channels_last(create_model(name, *sizes, **arch))
    seconds = ms = math.nan
    if size == "narrow" or args.time_published:
        x = torch.randn(args.batch, args.timesteps, args.channels, SIDE_PX, SIDE_PX)
        mask = (torch.rand(args.batch, SIDE_PX, SIDE_PX) < 0.07).to(torch.uint8)
        days = 12.0 * (torch.arange(args.timesteps) - args.timesteps // 2) + 5
        seconds, ms = time_network(network, x, days.repeat(args.batch, 1), mask)
    gmac = count_gmac(name, *sizes, SIDE_PX, **arch)
    weights = sum(one.numel() for one in network.parameters())
    times = [
        "" if math.isnan(value) else text.format(value)
        for value, text in ((seconds, "{:.2f}"), (ms, "{:.0f}"))
    ]
    return [
        f"`{name}`",
        size,
        f"{weights:,}",
        f"{gmac:.2f}",
        *times,
        "yes" if reads_dates(network) else "no",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=list_models(), help="default: all")
    parser.add_argument(
        "--size", nargs="+", choices=SIZES, default=list(SIZES), help="default: both"
    )
    parser.add_argument("--channels", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--timesteps", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=8, help="tiles a step (default: %(default)s)")
    parser.add_argument(
        "--time-published", action="store_true", help="time the published sizes too"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    print(
        f"{args.timesteps} acquisitions of {args.channels} channels, {SIDE_PX} px, steps of {args.batch} tiles, "
        f"one thread; {tell_load()}\n"
    )
    for cells in (COLUMNS, ["---"] * len(COLUMNS)):
        print(f"| {' | '.join(cells)} |")
    for size in args.size:
        for name in args.model:
            print(f"| {' | '.join(make_row(name, size, args))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
