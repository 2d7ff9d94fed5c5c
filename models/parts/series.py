"""Series of acquisitions with dates: which are there, on which side of the event they lie, means of each side.

Days are counted from the event: 0 or less before it, more than 0 after it, NaN where there is no acquisition.
"""

import torch
from torch import Tensor


def find_present(days: Tensor) -> Tensor:
    """Return which acquisitions exist, shape ``(B, T)``, bool: those whose day is a number."""
    return ~torch.isnan(days)


def blank_missing(x: Tensor, present: Tensor) -> Tensor:
    """Return ``x (B, T, C, H, W)`` with 0 in the acquisitions that are not *present* ``(B, T)``, whatever they held."""
    return torch.where(present[:, :, None, None, None], x, x.new_zeros(()))


def weigh_sides(days: Tensor) -> Tensor:
    """Return each acquisition's weight in the means before and after the event.

    Args:
        days: Days from the event, shape ``(B, T)``; NaN where there is no acquisition.

    Returns:
        Shape ``(B, 2, T)``, float32. Before (0) and after (1), the weights add up to 1, or to 0 on a side without any
        acquisition.
    """
    sides = torch.stack([days <= 0, days > 0], dim=1).float()  # a comparison with NaN is false
    return sides / sides.sum(2, keepdim=True).clamp(min=1)


def average_sides(maps: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means before and after the event.

    Args:
        maps: Shape ``(B, T, C, H, W)``.
        weights: Of `weigh_sides`, shape ``(B, 2, T)``.

    Returns:
        Two maps ``(B, C, H, W)``; a side without any acquisition is 0.
    """
    both = torch.matmul(weights.to(maps.dtype), maps.flatten(2))  # (B, 2, C * H * W)
    before, after = torch.unflatten(both, 2, maps.shape[2:]).unbind(1)
    return before, after


def has_both_sides(weights: Tensor) -> Tensor:
    """Return 1 for a series with acquisitions before and after the event, else 0; shape ``(B, 1, 1, 1)``, float32."""
    return (weights.sum(2) > 0).all(1).float()[:, None, None, None]
