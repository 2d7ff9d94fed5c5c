"""How much GPU memory a network of a search takes at most: its heaviest architecture, one step, measured."""

import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.pack import load_pack
from data.pack.node_cache import PackSource, fetch_pack
from models import create_model
from tuning.train.fit import choose_device, make_config_split
from tuning.train.training import Training
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import ARCH, Domain

PROBE_PX = 64  # enough to rank architectures by their activations


def find_heaviest(model: str, space: Mapping[str, Domain], channels: int, steps: int) -> Config:
    """Find the architecture of a space that keeps most for its backward pass.

    Args:
        model: Name of the network.
        space: Its flat search space.
        channels: Channels per acquisition.
        steps: Acquisitions.

    Returns:
        The arch values. Nothing is computed: the networks run on torch's meta device.
    """
    lists = {name: domain for name, domain in space.items() if name.startswith(ARCH)}
    names = [name.removeprefix(ARCH) for name in lists]
    values = [_largest(domain) for domain in lists.values()]
    every = [dict(zip(names, some, strict=True)) for some in product(*values)]
    return max(every, key=lambda arch: _weigh(model, arch, channels, steps))


def _largest(domain: Domain) -> list[Any]:
    """Return a domain's largest number; all its values where some are none, since any of these may be heaviest."""
    if not isinstance(domain, list):
        return [domain.high]
    numbers = [one for one in domain if isinstance(one, (int, float)) and not isinstance(one, bool)]
    return [max(numbers)] if len(numbers) == len(domain) else domain


def _weigh(model: str, arch: Mapping[str, Any], channels: int, steps: int) -> int:
    """Count the numbers that a network's layers give out, and four for each weight: itself, gradient, AdamW's two."""
    with torch.device("meta"):
        network = create_model(model, channels, steps, **arch)
        given = 0

        def add(_: nn.Module, __: object, out: object) -> None:
            nonlocal given
            given += out.numel() if isinstance(out, Tensor) else 0

        for layer in network.modules():
            if not list(layer.children()):
                layer.register_forward_hook(add)
        network(torch.empty(1, steps, channels, PROBE_PX, PROBE_PX))
    return given + 4 * sum(weights.numel() for weights in network.parameters())


def measure_footprint(config: Config, pack: str, source: PackSource | None) -> tuple[float, float]:
    """Train one step of a config and judge one batch; return the bytes that the GPU then has in use, and all it has.

    Args:
        config: The heaviest config of a search.
        pack: Path of the pack.
        source: Where a cluster's node gets its copy of the pack.

    Raises:
        ValueError: If this process has no GPU.
    """
    device = choose_device()
    if device.type != "cuda":
        raise ValueError(
            "A trial's share of a GPU is measured on one, but this process has none. Give --gpus-per-trial."
        )
    there = load_pack(Path(pack) if source is None else fetch_pack(source))
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            config, there, make_config_split(config, there), TrialFolder(Path(folder)), device
        )
        training.dry_run()
        torch.cuda.synchronize(device)
        free, total = torch.cuda.mem_get_info(
            device
        )  # torch keeps what it once had, so this is the peak
        del training
    torch.cuda.empty_cache()
    return float(total - free), float(total)
