"""Loss and histogram of a part, added up on the device: the host does not wait before it reads the sums."""

import numpy as np
import torch
from torch import Tensor

from tuning.metrics.histogram import BINS, to_bins_unchecked, to_probs

# A sure network puts most pixels into few bins, and additions to one number wait for each other. Neighbouring
# pixels therefore count into histograms of their own; a tile's row has a multiple of 32 pixels.
LANES = 32


class DeviceMetrics:
    """Sums of the batches of one part; every method but :meth:`read` only queues work on the device.

    Args:
        device: Where the batches are.
    """

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._counts = torch.zeros(LANES * 2 * BINS, dtype=torch.int32, device=device)
        self._lanes = torch.arange(LANES, dtype=torch.int32, device=device) * (2 * BINS)
        self._one = torch.ones(1, dtype=torch.int32, device=device)

    def clear(self) -> None:
        """Begin anew."""
        self._loss.zero_()
        self._counts.zero_()

    def add(self, loss: Tensor, logits: Tensor, mask: Tensor) -> None:
        """Add a batch.

        Args:
            loss: Its mean loss.
            logits: Shape ``(B, 1, H, W)``, H times W a multiple of 32.
            mask: Shape ``(B, H, W)``, 0 or 1.
        """
        self._loss.add_(loss.double() * len(mask))
        bins = to_bins_unchecked(to_probs(logits)) + mask.int() * BINS
        at = (bins.reshape(-1, LANES) + self._lanes).flatten()
        self._counts.index_add_(0, at, self._one.expand(len(at)))

    def read(self, tiles: int) -> tuple[np.ndarray, float]:
        """Wait for the sums; return the histogram ``(2, BINS)`` and the mean loss per tile, NaN where one was."""
        counts = self._counts.view(LANES, 2, BINS).sum(0, dtype=torch.int64)
        return counts.cpu().numpy(), float(self._loss) / tiles
