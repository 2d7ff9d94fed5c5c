"""Pixels with labels, drawn or given, and their histograms."""

import numpy as np
import torch

from tuning.metrics.histogram import count_bins

Pixels = tuple[np.ndarray, np.ndarray]  # probabilities float32, labels uint8


def draw_pixels(rng: np.random.Generator, size: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    mask = rng.random(size) < 0.1
    probs = rng.beta(np.where(mask, 3, 1), np.where(mask, 1.5, 4))
    return torch.from_numpy(probs.astype(np.float32)), torch.from_numpy(mask.astype(np.uint8))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).float().sigmoid().numpy()


def count_pixels(probs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return count_bins(torch.from_numpy(probs), torch.from_numpy(mask)).numpy()
