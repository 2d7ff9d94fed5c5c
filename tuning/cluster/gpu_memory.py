"""Peak GPU memory of a search: one training step of the heaviest architecture in its space, measured."""

import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data.pack import load_pack
from data.pack.node_cache import PackSource, fetch_pack
from models import apply_network, create_model
from tuning.train.fit import choose_device, make_config_split
from tuning.train.training import Training
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import ARCH, Domain

PROBE_PX = 64  # tile size that suffices to rank architectures by their activations


def find_heaviest(model: str, space: Mapping[str, Domain], channels: int, steps: int) -> Config:
    """Return the architecture of a search space with the most memory for its backward pass.

    Args:
        model: Name of the network.
        space: Its flat search space.
        channels: Channels per acquisition.
        steps: Acquisitions.

    Returns:
        The arch values. The networks run on torch's meta device, without computation.
    """
    lists = {name: domain for name, domain in space.items() if name.startswith(ARCH)}
    names = [name.removeprefix(ARCH) for name in lists]
    values = [_largest(domain) for domain in lists.values()]
    archs = [dict(zip(names, choice, strict=True)) for choice in product(*values)]
    return max(archs, key=lambda arch: _count_numbers(model, arch, channels, steps))


def _largest(domain: Domain) -> list[Any]:
    """Return a numeric domain's maximum; of other domains every value, because any may be the heaviest."""
    if not isinstance(domain, list):
        return [domain.high]
    numbers = [x for x in domain if isinstance(x, (int, float)) and not isinstance(x, bool)]
    return [max(numbers)] if len(numbers) == len(domain) else domain


def _count_numbers(model: str, arch: Mapping[str, Any], channels: int, steps: int) -> int:
    """Count the outputs of all layers, and four numbers per weight: weight, gradient, AdamW's two moments."""
    with torch.device("meta"):
        network = create_model(model, channels, steps, **arch)
        outputs = 0

        def count(_: nn.Module, __: object, out: object) -> None:
            nonlocal outputs
            outputs += out.numel() if isinstance(out, Tensor) else 0

        for layer in network.modules():
            if not list(layer.children()):
                layer.register_forward_hook(count)
        x = torch.empty(1, steps, channels, PROBE_PX, PROBE_PX)
        apply_network(network, x, torch.empty(1, steps))
    return outputs + 4 * sum(weights.numel() for weights in network.parameters())


def measure_footprint(config: Config, pack: str, source: PackSource | None) -> tuple[float, float]:
    """Run one training step and one validation batch of a config; return the GPU's used and total bytes.

    Args:
        config: The heaviest config of a search.
        pack: Path of the pack.
        source: Source of a cluster node's copy of the pack; None on one machine.

    Raises:
        ValueError: If this process has no GPU.
    """
    device = choose_device()
    if device.type != "cuda":
        raise ValueError(
            "A trial's GPU memory is measured on a GPU, but this process has none. Set --gpus-per-trial."
        )
    loaded = load_pack(Path(pack) if source is None else fetch_pack(source), check=False)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            config, loaded, make_config_split(config, loaded), TrialFolder(Path(folder)), device
        )
        training.dry_run()
        torch.cuda.synchronize(device)
        free, total = torch.cuda.mem_get_info(device)  # the peak: torch frees no cached memory
        del training
    torch.cuda.empty_cache()
    return float(total - free), float(total)
