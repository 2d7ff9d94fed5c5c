"""The square's eight symmetries and crops, as maps of pixel numbers."""

import torch
from torch import Tensor


def make_symmetry_maps(side: int, size: int) -> Tensor:
    """Return the source pixel of each pixel of a flipped or rotated crop at a tile's first pixel.

    Args:
        side: Side of the tiles in px.
        size: Side of the crop in px, s.

    Returns:
        One map of flat pixel indices for each of the square's eight symmetries, the identity first; shape
        ``(8, s, s)``, int64.
    """
    numbers = torch.arange(8)
    row = torch.arange(size)[:, None].expand(8, size, size)
    column = torch.arange(size).expand(8, size, size)
    swap, up, left = ((numbers >> bit & 1).bool()[:, None, None] for bit in range(3))
    row, column = torch.where(swap, column, row), torch.where(swap, row, column)
    row = torch.where(up, size - 1 - row, row)
    column = torch.where(left, size - 1 - column, column)
    return row * side + column


def flip_and_crop(layers: Tensor, maps: Tensor, symmetries: Tensor, corners: Tensor) -> Tensor:
    """Flip, rotate and crop layers ``(B, ..., H, W)`` with each tile's own parameters, without synchronising.

    Args:
        layers: Input or masks, on any device.
        maps: Result of :func:`make_symmetry_maps`, on the same device.
        symmetries: As in :class:`AugmentParams`, on the same device.
        corners: As in :class:`AugmentParams`, on the same device.
    """
    source = maps.index_select(0, symmetries) + corners[:, None, None]
    flat = layers.reshape(len(layers), -1, layers.shape[-2] * layers.shape[-1])
    index = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, index).view(*layers.shape[:-2], *source.shape[1:])
