"""Series cut after one of their first acquisitions after the event, and their days."""

import math

import torch
from torch import Tensor

UNCUT = 2**20  # in `data.pack.augmentation.AugmentParams.cuts`: the whole series


def cut_series(x: Tensor, first_after: Tensor, cuts: Tensor) -> Tensor:
    """Cut each tile's series after one of its first acquisitions after the event, without synchronising.

    Args:
        x: Input, shape ``(B, T, C, H, W)``, on any device.
        first_after: Place of the first acquisition after the event in each channel, T for none, shape ``(B, C)``, int64,
            on the same device.
        cuts: As in :class:`AugmentParams`, on the same device. The same number keeps the same share of each orbit.

    Returns:
        The series; the last image that is kept takes the later places.
    """
    last = _find_last(x.shape[1], first_after, cuts)
    places = torch.arange(x.shape[1], device=x.device)[None, :, None]
    source = torch.minimum(places, last[:, None])
    return x.gather(1, source[..., None, None].expand_as(x))


def forget_cut_days(days: Tensor, first_after: Tensor, cuts: Tensor) -> Tensor:
    """Set the days of the acquisitions that :func:`cut_series` replaces to NaN.

    Args:
        days: Days from the event, shape ``(B, T, C)``, float32.
        first_after: As in :func:`cut_series`.
        cuts: As in :func:`cut_series`.
    """
    last = _find_last(days.shape[1], first_after, cuts)
    places = torch.arange(days.shape[1], device=days.device)[None, :, None]
    return days.masked_fill(places > last[:, None], math.nan)


def _find_last(timesteps: int, first_after: Tensor, cuts: Tensor) -> Tensor:
    """Return the place of the last acquisition that a cut keeps, shape ``(B, C)``."""
    later = (timesteps - first_after - 1).clamp(min=0)  # that may be cut
    return first_after + cuts[:, None] * later // UNCUT
