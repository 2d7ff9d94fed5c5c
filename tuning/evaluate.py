"""Read a checkpoint back, and measure a part of the split with it; the only reader of test."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data.change import log_ratio
from data.dataset import Tiles
from data.norm import Norm
from data.pack import Pack
from data.splits import Split
from models import create_model
from tuning.journal import Config, Journal, write_aside
from tuning.metrics import (
    average_precision,
    choose_threshold,
    confuse,
    count_bins,
    score_at,
    to_probs,
)

EVAL_BATCH = 16
EXAMPLES = 4


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with all that is needed to use it.

    Attributes:
        config: The trial's config.
        model: The network in eval mode: normalised ``(B, T, C, H, W)`` to logits ``(B, 1, H, W)``.
        norm: Normalisation measured on the train tiles.
        epoch: Epoch of the weights, from 1.
        threshold: Probability from which a pixel counts as landslide, chosen on val.
    """

    config: Config
    model: nn.Module
    norm: Norm
    epoch: int
    threshold: float


def load_checkpoint(path: Path, device: torch.device | None = None) -> Checkpoint:
    """Load a ``best.pt``; nothing but tensors and plain values is unpickled.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"A checkpoint is a file best.pt that training wrote, but got {path}. "
            "Train at least one epoch first."
        )
    saved = torch.load(path, map_location=device or "cpu", weights_only=True)
    norm = Norm(**saved["norm"])
    model = make_model(saved["config"])
    model.load_state_dict(saved["model"])
    model.to(device or "cpu").eval()
    return Checkpoint(saved["config"], model, norm, saved["epoch"], saved["threshold"])


def make_model(config: Config) -> nn.Module:
    """Create the network of a config."""
    return create_model(
        config["model"], len(config["channels"]), config["timesteps"], **config["arch"]
    )


@torch.no_grad()
def predict(model: nn.Module, x: Tensor) -> Tensor:
    """Return probabilities ``(B, H, W)`` of a normalised batch ``(B, T, C, H, W)``, in float32."""
    return to_probs(model(x))


def count_part(
    model: nn.Module, tiles: Tiles, loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> tuple[np.ndarray, float]:
    """Count a whole part; return its histogram ``(2, BINS)`` and the mean loss per tile."""
    counts, total = None, 0.0
    for batch in tiles.batches(EVAL_BATCH):
        with torch.no_grad():
            logits = model(batch.x)
            if loss is not None:
                total += float(loss(logits, batch.mask)) * len(batch.x)
        found = count_bins(to_probs(logits), batch.mask)
        counts = found if counts is None else counts + found
    if counts is None:
        raise ValueError("A part must hold at least one tile to be measured, but got none.")
    return counts.cpu().numpy(), total / len(tiles)


def _pick_examples(pack: Pack, tile_ids: tuple[str, ...]) -> list[str]:
    """Pick the tiles with most landslide pixels, and one without any where there is one."""
    size = dict(zip(tile_ids, pack.mask[pack.rows(tile_ids)].sum((1, 2)), strict=True))
    ranked = sorted(tile_ids, key=lambda tile: (-int(size[tile]), tile))
    empty = [tile for tile in ranked if not size[tile]][:1]
    return (ranked[: EXAMPLES - len(empty)] + empty)[:EXAMPLES]


def write_examples(
    journal: Journal, pack: Pack, split: Split, predict_tiles: Callable[[list[str]], np.ndarray]
) -> None:
    """Keep a few test tiles for the report: change in VV, mask and probability."""
    ids = _pick_examples(pack, split.test)
    arrays = {
        "tile_ids": np.array(ids),
        "change_db": log_ratio(pack, ids).astype(np.float16),
        "mask": pack.mask[pack.rows(ids)],
        "probs": predict_tiles(ids).astype(np.float32),
    }

    def save(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_aside(journal.path / "examples.npz", save)


def summarise_test(
    val: np.ndarray, test: np.ndarray, seconds: float, tiles: int
) -> dict[str, float]:
    """Score test at the threshold that val chose."""
    threshold = choose_threshold(val)
    confusion = confuse(test, threshold)
    pixels = int(test.sum())
    return {
        "threshold": threshold,
        **score_at(test, threshold),
        **vars(confusion),
        "pr_auc": average_precision(test),
        "pos_pixels": int(test[1].sum()),
        "pos_ratio": float(test[1].sum() / pixels),
        "infer_seconds_total": seconds,
        "infer_seconds_per_sample": seconds / tiles,
        "n_samples": tiles,
    }


def measure_test(
    journal: Journal, pack: Pack, split: Split, device: torch.device
) -> dict[str, float]:
    """Measure test once, with the checkpoint and the threshold that val chose.

    Args:
        journal: A finished trial's folder; gains ``test.json``, ``test_counts.npy``, ``examples.npz``.
        pack: The packed tiles.
        split: The split that trained the checkpoint.
        device: Where to compute.

    Returns:
        The content of ``test.json``.
    """
    best = load_checkpoint(journal.best, device)
    val = journal.counts("val")
    if val is None:
        raise FileNotFoundError(
            f"A threshold is chosen on val, but {journal.path} lacks val_counts.npy."
        )
    tiles = Tiles(
        pack, split.test, best.norm, best.config["timesteps"], device, best.config["steps"]
    )
    predict(best.model, tiles.batch([0]).x)  # warm-up: the first call allocates and picks kernels
    began = time.perf_counter()
    counts, _ = count_part(best.model, tiles)
    seconds = time.perf_counter() - began
    journal.write_counts("test", counts)

    def predict_tiles(ids: list[str]) -> np.ndarray:
        at = [split.test.index(tile) for tile in ids]
        return predict(best.model, tiles.batch(at).x).cpu().numpy()

    write_examples(journal, pack, split, predict_tiles)
    scores = summarise_test(val, counts, seconds, len(tiles))
    journal.write("test", scores)
    return scores
