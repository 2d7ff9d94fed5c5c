"""Read a checkpoint back, and measure a part of the split with it; the only reader of test."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.pack.log_ratio import log_ratio
from data.splits import Split
from tuning.metrics.curve import choose_threshold
from tuning.metrics.histogram import BINS, count_bins, count_stored, to_bins, to_probs
from tuning.metrics.scores import confuse, score_all
from tuning.train.checkpoints import load_checkpoint
from tuning.trial.folder import TrialFolder

EVAL_BATCH = 16
EXAMPLES = 4

Predict = Callable[[Sequence[str]], np.ndarray]  # tile ids to probabilities (B, H, W), float32


@torch.no_grad()
def predict(model: nn.Module, x: Tensor) -> Tensor:
    """Return probabilities ``(B, H, W)`` of a normalised batch ``(B, T, C, H, W)``, in float32."""
    return to_probs(model(x))


def count_dataset(
    model: nn.Module, tiles: TileDataset, loss: Callable[[Tensor, Tensor], Tensor] | None = None
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


def measure_val(journal: TrialFolder, pack: Pack, split: Split, predict_tiles: Predict) -> None:
    """Count val of a model that training did not count: a baseline."""
    total = np.zeros((2, BINS), dtype=np.int64)
    for ids in _batches(split.val):
        mask = torch.from_numpy(pack.mask[pack.rows(ids)])
        total += count_bins(torch.from_numpy(predict_tiles(ids)), mask).numpy()
    journal.write_counts("val", total)


def measure_predictions(
    journal: TrialFolder, pack: Pack, split: Split, predict_tiles: Predict
) -> dict[str, float]:
    """Measure test once, at the threshold that val chose.

    Args:
        journal: A trial's folder with ``val_counts.npy``; gains ``test.json``, ``test_counts.npy``,
            ``test_probs.npz`` and ``examples.npz``.
        pack: The packed tiles.
        split: The split of the trial.
        predict_tiles: The model, from tile ids to probabilities.

    Returns:
        The content of ``test.json``.

    Raises:
        FileNotFoundError: If val was not measured.
    """
    val = journal.counts("val")
    if val is None:
        raise FileNotFoundError(
            f"A threshold is chosen on val, but {journal.path} lacks val_counts.npy."
        )
    predict_tiles(split.test[:1])  # warm-up: the first call allocates and picks kernels
    counts = np.zeros((2, BINS), dtype=np.int64)
    bins, seconds = [], 0.0
    for ids in _batches(split.test):
        began = time.perf_counter()
        probs = torch.from_numpy(predict_tiles(ids))
        seconds += time.perf_counter() - began
        bins.append(to_bins(probs).numpy().astype(np.uint16))
        counts += count_stored(bins[-1], pack.mask[pack.rows(ids)])
    journal.write_counts("test", counts)
    journal.write_arrays("test_probs", tile_ids=np.array(split.test), bins=np.concatenate(bins))
    write_examples(journal, pack, split, predict_tiles)
    scores = summarise_test(val, counts, seconds, len(split.test))
    journal.write("test", scores)
    return scores


def measure_test(
    journal: TrialFolder, pack: Pack, split: Split, device: torch.device
) -> dict[str, float]:
    """Measure test once with the checkpoint of the best epoch; returns as :func:`measure_predictions`."""
    best = load_checkpoint(journal.best, device)
    config = best.config
    tiles = TileDataset(pack, split.test, best.norm, config["timesteps"], device, config["steps"])
    place = {tile: at for at, tile in enumerate(split.test)}

    def predict_tiles(ids: Sequence[str]) -> np.ndarray:
        return predict(best.model, tiles.batch([place[tile] for tile in ids]).x).cpu().numpy()

    return measure_predictions(journal, pack, split, predict_tiles)


def _batches(tile_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(tile_ids), EVAL_BATCH):
        yield tile_ids[start : start + EVAL_BATCH]


def pick_examples(tile_ids: Sequence[str], sizes: np.ndarray) -> list[str]:
    """Pick tiles to show: those with most landslide pixels, and last one without any where there is one.

    Args:
        tile_ids: N ids.
        sizes: Landslide pixels of each, shape ``(N,)``.
    """
    size = dict(zip(tile_ids, map(int, sizes), strict=True))
    ranked = sorted(tile_ids, key=lambda tile: (-size[tile], tile))
    empty = [tile for tile in ranked if not size[tile]][:1]
    others = [tile for tile in ranked if tile not in empty]
    return others[: EXAMPLES - len(empty)] + empty


def write_examples(journal: TrialFolder, pack: Pack, split: Split, predict_tiles: Predict) -> None:
    """Keep a few test tiles for the report: change in VV, mask and probability."""
    ids = pick_examples(split.test, pack.mask[pack.rows(split.test)].sum(axis=(1, 2)))
    journal.write_arrays(
        "examples",
        tile_ids=np.array(ids),
        change_db=log_ratio(pack, ids).astype(np.float16),
        mask=pack.mask[pack.rows(ids)],
        probs=predict_tiles(ids).astype(np.float32),
    )


def summarise_test(
    val: np.ndarray, test: np.ndarray, seconds: float, tiles: int
) -> dict[str, float]:
    """Score test at the threshold that val chose."""
    threshold = choose_threshold(val)
    confusion = confuse(test, threshold)
    pixels = int(test.sum())
    return {
        "threshold": threshold,
        **score_all(test, confusion),
        **vars(confusion),
        "pos_pixels": int(test[1].sum()),
        "pos_ratio": float(test[1].sum() / pixels),
        "infer_seconds_total": seconds,
        "infer_seconds_per_sample": seconds / tiles,
        "n_samples": tiles,
    }
