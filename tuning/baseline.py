"""The baseline without learning: mean post-event minus mean pre-event VV over both orbits."""

import time
from pathlib import Path

import numpy as np
import torch

from data.change import log_ratio
from data.pack import Pack
from data.splits import Split
from tuning.evaluate import summarise_test, write_examples
from tuning.journal import Config, Journal
from tuning.metrics import count_bins

BASELINE = "log_ratio"
BASELINE_NAME = "LogRatioVV"
RANGE_DB = 10.0  # a change of -10 dB counts as 0, of +10 dB as 1, no change as 0.5


def scale_change(change_db: np.ndarray) -> np.ndarray:
    """Map a change in dB linearly to [0, 1], so that it is counted like a probability."""
    scaled: np.ndarray = np.clip(0.5 + change_db / (2 * RANGE_DB), 0.0, 1.0)
    return scaled.astype(np.float32)


def make_baseline_config(split: str, data: str) -> Config:
    """Return what identifies the baseline's run."""
    return {"model": BASELINE, "polarisation": "VV", "seed": 0, "split": split, "data": data}


def _count(pack: Pack, tile_ids: tuple[str, ...]) -> np.ndarray:
    scores = torch.from_numpy(scale_change(log_ratio(pack, tile_ids)))
    mask = torch.from_numpy(np.array(pack.mask[pack.rows(tile_ids)]))
    return count_bins(scores, mask).numpy()


def run_baseline(config: Config, pack: Pack, split: Split, folder: Path) -> Journal:
    """Measure the baseline on val and test, through the same code as the networks.

    Args:
        config: Of :func:`make_baseline_config`.
        pack: The packed tiles.
        split: Parts to measure.
        folder: The trial's folder.

    Returns:
        The folder with histograms, ``test.json``, examples and ``end.json``.
    """
    journal = Journal(folder)
    journal.write("config", config)
    val = _count(pack, split.val)
    journal.write_counts("val", val)
    began = time.perf_counter()
    test = _count(pack, split.test)
    seconds = time.perf_counter() - began
    journal.write_counts("test", test)
    write_examples(journal, pack, split, lambda ids: scale_change(log_ratio(pack, ids)))
    journal.write("test", summarise_test(val, test, seconds, len(split.test)))
    journal.write("end", {"reason": "last epoch", "epoch": 0})
    return journal
