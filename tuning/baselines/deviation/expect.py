"""What DIST-S1 expects an image to be, given those before it: mean and deviation of each pixel of a whole tile.

The transformer slides over the tile; where windows overlap, means and logarithms of variances are averaged, as in
``distmetrics`` 1.0.8.
"""

import numpy as np
import torch
from torch.nn import functional as F

from tuning.baselines.deviation.network import MAX_DATES, POLARISATIONS, WINDOW_PX, DistS1Network

# Bounds of gamma nought in linear power. The lower is that of distmetrics' despeckling; its upper, 1, has an infinite logit.
LOWEST, HIGHEST = 1e-7, 0.99


def convert_to_logit(values_db: np.ndarray) -> np.ndarray:
    """Return the logit ``log(p / (1 - p))`` of backscatter's linear power, any shape, float32; NaN stays NaN.

    Args:
        values_db: Gamma nought in dB. Power beyond 1e-7 (-70 dB) and 0.99 (-0.04 dB) is set to these bounds.
    """
    power = np.clip(np.power(10.0, values_db.astype(np.float64) / 10), LOWEST, HIGHEST)
    logit: np.ndarray = np.log(power / (1 - power)).astype(np.float32)
    return logit


@torch.inference_mode()
def expect_next(
    network: DistS1Network, series: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the next image of a tile from its last 10 images, or fewer.

    Args:
        network: With its weights, in eval mode.
        series: Logits, shape ``(T, 2, H, W)``, float32, ascending in time, T 1 or more; no NaN.
        stride: Distance of windows in px, at most 16; H - 16 and W - 16 are multiples of it.

    Returns:
        Mean and standard deviation, in logits, each of shape ``(2, H, W)``, float32.
    """
    recent = torch.from_numpy(np.ascontiguousarray(series[-MAX_DATES:]))
    dates, _, height, width = recent.shape
    cut = F.unfold(recent, WINDOW_PX, stride=stride)  # (T, 2 * 16 * 16, windows)
    shape = (cut.shape[-1], dates, len(POLARISATIONS), WINDOW_PX, WINDOW_PX)
    predicted = network(cut.permute(2, 0, 1).reshape(shape))
    count = _join(torch.ones(shape[0], 1, WINDOW_PX, WINDOW_PX), (height, width), stride)
    mean, log_variance = (_join(one, (height, width), stride) / count for one in predicted)
    return mean.numpy(), (log_variance / 2).exp().numpy()


def _join(windows: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
    """Add up windows of shape ``(N, C, 16, 16)`` at their places; shape ``(C, H, W)``."""
    return F.fold(windows.flatten(1).T[None], size, WINDOW_PX, stride=stride)[0]
