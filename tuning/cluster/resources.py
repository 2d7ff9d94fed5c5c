"""Cores and GPUs of one trial: cores divided evenly among trials, GPUs by the memory that a trial needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuning.settings.settings import Settings

MARGIN = 1.2  # over the measured peak: other epochs have other augmented batches
# More trials gain nothing. Trials of 75 epochs an hour on one H100 (U-Net of width 16, T=4, `benchmarks/train_gpu.py`): 1250
# by one process, 1370 by two, 1397 by four, 1436 by eight.
MAX_PER_GPU = 8


@dataclass(frozen=True)
class NodeResources:
    """Total resources of one node.

    Attributes:
        cpus: Cores.
        gpus: GPUs.
    """

    cpus: float
    gpus: float

    def count(self, trial: "Resources") -> int:
        """Return how many trials fit into the node at once."""
        pairs = ((self.cpus, trial.cpus), (self.gpus, trial.gpus))
        return min((int(has / need + 1e-6) for has, need in pairs if need), default=0)


@dataclass(frozen=True)
class Resources:
    """Resources of one trial.

    Attributes:
        cpus: Cores.
        gpus: GPUs, or a fraction of one.
    """

    cpus: float
    gpus: float

    def fits(self, nodes: Sequence[NodeResources]) -> bool:
        """Return whether a trial fits into one of the nodes."""
        return any(self.cpus <= node.cpus and self.gpus <= node.gpus for node in nodes)

    def enlarge(self, nodes: Sequence[NodeResources]) -> "Resources | None":
        """Return more resources for a trial that ran out of memory, None if no node has them."""
        if self.gpus:
            larger = replace(self, gpus=1.0)
            return larger if self.gpus < 1 and larger.fits(nodes) else None
        more = min(2 * self.cpus, max((node.cpus for node in nodes), default=0.0))
        return replace(self, cpus=more) if more > self.cpus else None


def choose_resources(settings: Settings, nodes: Sequence[NodeResources]) -> Resources:
    """Return a trial's resources: an even part of the cores, and half a GPU if there is one.

    Args:
        settings: The user's settings.
        nodes: Resources of each node.

    Raises:
        ValueError: If a trial fits into no node, for which Ray would wait forever.
    """
    resources = default_resources(settings, nodes)
    if not resources.fits(nodes):
        largest = " or ".join(f"{node.cpus:g} cores and {node.gpus:g} GPUs" for node in set(nodes))
        raise ValueError(
            f"A trial must fit into one node, but got {resources.cpus:g} cores and {resources.gpus:g} GPUs where a node "
            f"has {largest or 'nothing'}. Lower --cpus-per-trial or --gpus-per-trial, or let an autoscaling "
            "cluster add nodes with --wait-for-nodes MINUTES."
        )
    return resources


def default_resources(settings: Settings, nodes: Sequence[NodeResources]) -> Resources:
    """Return a trial's resources for the given nodes, without a check that they fit."""
    without_gpu = settings.gpus_per_trial == 0
    usable = [node for node in nodes if bool(node.gpus) != without_gpu] or list(nodes)
    cores = sum(node.cpus for node in usable)
    largest = max((node.cpus for node in usable), default=1.0)
    even = min(max(1, int(cores) // max(settings.trials, settings.seeds)), max(1, int(largest)))
    half = 0.5 if any(node.gpus for node in nodes) else 0.0
    return Resources(
        even if settings.cpus_per_trial is None else settings.cpus_per_trial,
        half if settings.gpus_per_trial is None else settings.gpus_per_trial,
    )


def gpu_fraction(peak: float, total: float) -> float:
    """Return the fraction of a GPU that a trial gets: 1/n if n trials fit into its memory.

    Args:
        peak: Peak memory of one trial in bytes, CUDA context included.
        total: Memory of the GPU in bytes.

    Raises:
        ValueError: If one trial does not fit.
    """
    if peak * MARGIN > total:
        raise ValueError(
            f"A trial must fit into a GPU, but got a peak of {peak / 1e9:.1f} GB where it has {total / 1e9:.1f} GB. "
            "Use a larger GPU, or fewer channels, --timesteps or --stack-seeds."
        )
    return 1 / min(MAX_PER_GPU, max(1, math.floor(total / (peak * MARGIN))))
