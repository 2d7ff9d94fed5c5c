"""Acquisition dates as a network's second input."""

from torch import Tensor, nn


def reads_dates(network: nn.Module) -> bool:
    """Return whether a network's forward pass takes the acquisitions' dates: whether its ``reads_dates`` is true."""
    return bool(getattr(network, "reads_dates", False))


def apply_network(network: nn.Module, x: Tensor, days: Tensor) -> Tensor:
    """Run a network, with the dates if it reads them.

    Args:
        network: The network.
        x: Normalised input, shape ``(B, T, C, H, W)``.
        days: Days from the event to each acquisition, negative before it, shape ``(B, T)``, float32; NaN where there is no
            acquisition: *x* is then 0 or repeats another one.

    Returns:
        Logits, shape ``(B, 1, H, W)``.
    """
    logits: Tensor = network(x, days) if reads_dates(network) else network(x)
    return logits
