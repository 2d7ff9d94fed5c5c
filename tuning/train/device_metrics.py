"""Loss and histogram of a dataset, accumulated on the device: the host waits only when it reads the sums."""

import numpy as np
import torch
from torch import Tensor

from tuning.metrics.histogram import BINS, to_bins_unchecked, to_probs

# A confident network puts most pixels into few bins, and atomic additions to one address are serialised. Neighbouring
# pixels are therefore counted in separate histograms; a tile's row has a multiple of 32 pixels.
SUB_HISTOGRAMS = 32


class DeviceMetrics:
    """Sums over the batches of a dataset; every method but :meth:`compute` only queues work on the device.

    Args:
        device: Device of the batches.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._counts = torch.zeros(SUB_HISTOGRAMS * 2 * BINS, dtype=torch.int32, device=device)
        numbers = torch.arange(SUB_HISTOGRAMS, dtype=torch.int32, device=device)
        self._offsets = numbers * (2 * BINS)
        self._one = torch.ones(1, dtype=torch.int32, device=device)

    def reset(self) -> None:
        """Set all sums to zero."""
        self._loss.zero_()
        self._counts.zero_()

    def update(self, loss: Tensor, logits: Tensor, mask: Tensor) -> None:
        """Add a batch.

        Args:
            loss: Its mean loss.
            logits: Shape ``(B, 1, H, W)``, H times W a multiple of 32.
            mask: Shape ``(B, H, W)``, 0 or 1.
        """
        self._loss.add_(loss.double() * len(mask))
        bins = to_bins_unchecked(to_probs(logits)) + mask.int() * BINS
        index = (bins.reshape(-1, SUB_HISTOGRAMS) + self._offsets).flatten()
        self._counts.index_add_(0, index, self._one.expand(len(index)))

    def compute(self, tiles: int) -> tuple[np.ndarray, float]:
        """Wait for the sums; return the histogram ``(2, BINS)`` and the mean loss per tile, NaN if a loss was NaN."""
        counts = self._counts.view(SUB_HISTOGRAMS, 2, BINS).sum(0, dtype=torch.int64)
        return counts.cpu().numpy(), float(self._loss) / tiles
