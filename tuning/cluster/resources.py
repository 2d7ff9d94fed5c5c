"""How much of a machine one trial takes: cores shared out evenly, GPUs by the memory that a trial needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuning.settings.settings import Settings

MARGIN = 1.2  # of the measured peak: batches of another epoch are augmented otherwise
# More gain nothing. Trials of 75 epochs an hour on one H100 (U-Net of width 16, T=4, `benchmarks/train_gpu.py`): 1250
# by one process, 1370 by two, 1397 by four, 1436 by eight.
MOST_PER_GPU = 8


@dataclass(frozen=True)
class NodeResources:
    """What one node has in all.

    Attributes:
        cpus: Cores.
        gpus: GPUs.
    """

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Resources:
    """Share of a node that one trial takes."""

    cpus: float
    gpus: float

    def fits(self, nodes: Sequence[NodeResources]) -> bool:
        """Tell whether some node is large enough."""
        return any(self.cpus <= node.cpus and self.gpus <= node.gpus for node in nodes)

    def enlarge(self, nodes: Sequence[NodeResources]) -> "Resources | None":
        """Return a larger share, for a trial that ran out of memory; None where no node has it."""
        if self.gpus:
            larger = replace(self, gpus=1.0)
            return larger if self.gpus < 1 and larger.fits(nodes) else None
        more = min(2 * self.cpus, max((node.cpus for node in nodes), default=0.0))
        return replace(self, cpus=more) if more > self.cpus else None


def share_out(settings: Settings, nodes: Sequence[NodeResources]) -> Resources:
    """Choose a trial's share: cores evenly over the trials of a stage, half a GPU where there is one.

    Args:
        settings: What was asked for.
        nodes: What each node has.

    Raises:
        ValueError: If no node could hold a trial, since Ray would wait for ever.
    """
    share = choose_share(settings, nodes)
    if not share.fits(nodes):
        largest = " or ".join(f"{node.cpus:g} cores and {node.gpus:g} GPUs" for node in set(nodes))
        raise ValueError(
            f"A trial must fit into one node, but got {share.cpus:g} cores and {share.gpus:g} GPUs where a node "
            f"has {largest or 'nothing'}. Lower --cpus-per-trial or --gpus-per-trial, or let a cluster "
            "that grows add nodes with --wait-for-nodes MINUTES."
        )
    return share


def choose_share(settings: Settings, nodes: Sequence[NodeResources]) -> Resources:
    """Choose a trial's share of the nodes at hand, whether it fits or not."""
    without = settings.gpus_per_trial == 0
    kind = [node for node in nodes if bool(node.gpus) != without] or list(nodes)
    cores = sum(node.cpus for node in kind)
    largest = max((node.cpus for node in kind), default=1.0)
    even = min(max(1, int(cores) // max(settings.trials, settings.seeds)), max(1, int(largest)))
    half = 0.5 if any(node.gpus for node in nodes) else 0.0
    return Resources(
        even if settings.cpus_per_trial is None else settings.cpus_per_trial,
        half if settings.gpus_per_trial is None else settings.gpus_per_trial,
    )


def share_of_gpu(peak: float, total: float) -> float:
    """Return the fraction of a GPU for trials of some peak memory: 1/n, where n fit side by side.

    Args:
        peak: Bytes that one trial takes at most, context included.
        total: Bytes of the GPU.

    Raises:
        ValueError: If not even one fits.
    """
    if peak * MARGIN > total:
        raise ValueError(
            f"A trial must fit into a GPU, but got a peak of {peak / 1e9:.1f} GB where it has {total / 1e9:.1f} GB. "
            "Use a larger GPU, or fewer channels, --timesteps or --stack-seeds."
        )
    return 1 / min(MOST_PER_GPU, max(1, math.floor(total / (peak * MARGIN))))
