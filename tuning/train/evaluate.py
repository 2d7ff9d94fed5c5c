"""Measure a model on val or test; the only module of the training that reads the test tiles."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from data.pack import Pack
from data.pack.dataset import Batch, TileDataset
from data.pack.log_ratio import log_ratio
from data.pack.placebo import find_placebo_tiles, make_placebo_pack
from data.pack.reader import After
from data.splits import Split
from data.tiles import ACQUISITIONS, PIXEL_M
from models import apply_network
from tuning.metrics.curve import choose_threshold
from tuning.metrics.histogram import BINS, count_bins, count_stored, reach, to_bins, to_probs
from tuning.metrics.recalibration import fit_calibration
from tuning.metrics.summary import summarise_test
from tuning.objects.objects import count_objects
from tuning.replay.measure import Cut, PredictTiles, Whole, measure_replay
from tuning.statistics.blocks import make_units
from tuning.statistics.expected import measure_expected
from tuning.train.checkpoints import load_checkpoint
from tuning.train.early import measure_early
from tuning.trial.folder import TrialFolder
from tuning.trial.variants import REPLAY

EVAL_BATCH, EXAMPLES = 16, 4  # tiles
Bind = Callable[[Pack], PredictTiles]  # a trained model, for the tiles of any pack


@torch.no_grad()
def predict(model: nn.Module, batch: Batch) -> Tensor:
    """Return probabilities ``(B, H, W)`` of a batch, in float32."""
    return to_probs(apply_network(model, batch.x, batch.days))


def count_dataset(
    model: nn.Module, tiles: TileDataset, loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> tuple[np.ndarray, float]:
    """Return the histogram ``(2, BINS)`` of all tiles, and the mean loss per tile.

    Raises:
        ValueError: If there are no tiles.
    """
    counts, total = None, 0.0
    for batch in tiles.batches(EVAL_BATCH):
        with torch.no_grad():
            logits = apply_network(model, batch.x, batch.days)
            if loss is not None:
                total += float(loss(logits, batch.mask)) * len(batch.x)
        batch_counts = count_bins(to_probs(logits), batch.mask)
        counts = batch_counts if counts is None else counts + batch_counts
    if counts is None:
        raise ValueError("A dataset must hold at least one tile to be measured, but got none.")
    return counts.cpu().numpy(), total / len(tiles)


def measure_val(trial: TrialFolder, pack: Pack, split: Split, predict_tiles: PredictTiles) -> None:
    """Write the val histogram of a model that was not trained epoch by epoch: a baseline."""
    total = np.zeros((2, BINS), dtype=np.int64)
    for ids in _batches(split.val):
        mask = torch.from_numpy(pack.mask[pack.rows(ids)])
        total += count_bins(torch.from_numpy(predict_tiles(ids)), mask).numpy()
    trial.write_counts("val", total)


def measure_predictions(
    trial: TrialFolder,
    pack: Pack,
    split: Split,
    bind: Bind,
    *,
    steps: str = "all",
    timesteps: int = ACQUISITIONS,
    cut: Cut | None = None,
) -> dict[str, float]:
    """Measure test once, at the threshold chosen on val: as it is, as event-free series, and if wanted as on each day.

    Args:
        trial: A trial's folder with ``val_counts.npy``; receives ``test.json``, ``test_counts.npy``,
            ``test_probs.npz``, ``expected.json``, ``examples.npz``, ``placebo.json`` and ``placebo.npz``, and with *cut*
            ``replay.npz`` (:mod:`tuning.replay.record`).
        pack: The packed tiles.
        split: The trial's split.
        bind: The model: from a pack to a function from tile ids to probabilities.
        steps: How it chooses acquisitions, one of ``data.pack.channels.STEPS``.
        timesteps: Number of acquisitions that it reads.
        cut: The model for series that end soon after the event, to replay the calendar.

    Returns:
        The content of ``test.json``.

    Raises:
        FileNotFoundError: If val has not been measured.
    """
    val = trial.counts("val")
    if val is None:
        raise FileNotFoundError(
            f"The threshold is chosen on val, but {trial.path} has no val_counts.npy. Measure val first."
        )
    predict_tiles = bind(pack)
    predict_tiles(split.test[:1])  # warm-up: the first call allocates memory and selects kernels
    counts = np.zeros((2, BINS), dtype=np.int64)
    bins, seconds = [], 0.0
    for ids in _batches(split.test):
        began = time.perf_counter()
        probs = torch.from_numpy(predict_tiles(ids))
        seconds += time.perf_counter() - began
        bins.append(to_bins(probs).numpy().astype(np.uint16))
        counts += count_stored(bins[-1], pack.mask[pack.rows(ids)])
    trial.write_counts("test", counts)
    trial.write_arrays("test_probs", tile_ids=np.array(split.test), bins=np.concatenate(bins))
    _measure_expected(trial, pack, split.test, np.concatenate(bins), val)
    write_examples(trial, pack, split, predict_tiles)
    _measure_placebo(trial, pack, split, bind, (steps, timesteps), choose_threshold(val))
    if cut is not None:
        whole = Whole(val, np.concatenate(bins))
        replay = measure_replay(pack, split, cut, whole, (steps, timesteps))
        trial.write_arrays(REPLAY, **replay.to_arrays())
    scores = summarise_test(val, counts, seconds, len(split.test))
    trial.write("test", scores)
    return scores


def measure_test(
    trial: TrialFolder, pack: Pack, split: Split, device: torch.device
) -> dict[str, float]:
    """Measure test once with the best epoch's checkpoint; see :func:`measure_predictions`.

    Writes ``early.json``, too, with the scores soon after the event of :func:`tuning.train.early.measure_early`.
    """
    best = load_checkpoint(trial.best, device)
    steps, timesteps = best.config["steps"], best.config["timesteps"]

    def open_part(ids: Sequence[str], after: After) -> TileDataset:
        return TileDataset(pack, ids, best.norm, timesteps, device, steps, after=after)

    early = measure_early(best.model, partial(open_part, split.val), partial(open_part, split.test))
    trial.write("early", early)

    def bind(source: Pack) -> PredictTiles:
        ids = split.test if source is pack else source.tile_ids
        tiles = TileDataset(source, ids, best.norm, timesteps, device, steps)
        return _bind_tiles(best.model, tiles)

    def bind_cut(after: np.ndarray) -> PredictTiles:
        return _bind_tiles(best.model, open_part((*split.val, *split.test), after))

    cut = Cut(tuple(best.norm.channels), bind_cut) if best.config.get(REPLAY) else None
    return measure_predictions(trial, pack, split, bind, steps=steps, timesteps=timesteps, cut=cut)


def _bind_tiles(model: nn.Module, tiles: TileDataset) -> PredictTiles:
    """Return a network for the tiles of a dataset."""
    positions = {tile: position for position, tile in enumerate(tiles.tile_ids)}

    def predict_tiles(chosen: Sequence[str]) -> np.ndarray:
        return predict(model, tiles.batch([positions[tile] for tile in chosen])).cpu().numpy()

    return predict_tiles


def _measure_expected(
    trial: TrialFolder, pack: Pack, test: Sequence[str], bins: np.ndarray, val: np.ndarray
) -> None:
    """Write ``expected.json``: precision and recall at several thresholds of the calibrated probabilities."""
    rows = pack.rows(test)
    mask, regions = pack.mask[rows], [pack.regions[row] for row in rows]
    units = make_units(pack.corners[rows], [""] * len(rows), regions, mask.sum(axis=(1, 2)))
    found = measure_expected(bins, mask, units, fit_calibration(val), choose_threshold(val))
    trial.write("expected", found)


def _measure_placebo(
    trial: TrialFolder,
    pack: Pack,
    split: Split,
    bind: Bind,
    reads: tuple[str, int],
    threshold: float,
) -> None:
    """Count what a model calls landslide on event-free series of the test tiles, of `data.pack.placebo`.

    ``placebo.npz`` has ``counts (N, 3)`` of each tile: pixels, found objects, found pixels.
    """
    tiles = find_placebo_tiles(pack, split.test, *reads)
    counts = np.zeros((0, 3), np.int64)
    for ids in _batches(tiles.used):
        probs = bind(make_placebo_pack(pack, ids, *reads))(ids)
        found = to_bins(torch.from_numpy(probs)).numpy() >= reach(threshold)
        empty = count_objects(found, np.zeros(found.shape, np.uint8)).empty
        counts = np.concatenate([counts, empty])
    trial.write_arrays("placebo", tile_ids=np.array(tiles.used, dtype=str), counts=counts)
    trial.write("placebo", summarise_placebo(counts.sum(axis=0), len(tiles.left_out)))


def summarise_placebo(total: np.ndarray, left_out: int) -> dict[str, float]:
    """Return the content of ``placebo.json``; without a pixel, the number of tiles left out alone.

    Args:
        total: Pixels, found objects and found pixels of all tiles, shape ``(3,)``.
        left_out: Test tiles with too few images before their event.
    """
    pixels, alarms, found_px = map(int, total)
    if not pixels:
        return {"tiles_left_out": left_out}
    return {
        "alarms_per_km2": alarms / (pixels * PIXEL_M**2 / 1e6),
        "area_share": found_px / pixels,
        "tiles_left_out": left_out,
    }


def _batches(tile_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(tile_ids), EVAL_BATCH):
        yield tile_ids[start : start + EVAL_BATCH]


def pick_examples(tile_ids: Sequence[str], sizes: np.ndarray) -> list[str]:
    """Pick the tiles with the most landslide pixels and, if there is one, a last tile without any.

    Args:
        tile_ids: N ids.
        sizes: Landslide pixels of each tile, shape ``(N,)``.
    """
    size = dict(zip(tile_ids, map(int, sizes), strict=True))
    ranked = sorted(tile_ids, key=lambda tile: (-size[tile], tile))
    empty = [tile for tile in ranked if not size[tile]][:1]
    others = [tile for tile in ranked if tile not in empty]
    return others[: EXAMPLES - len(empty)] + empty


def write_examples(
    trial: TrialFolder, pack: Pack, split: Split, predict_tiles: PredictTiles
) -> None:
    """Write a few test tiles for the report: change in VV, mask and probability."""
    ids = pick_examples(split.test, pack.mask[pack.rows(split.test)].sum(axis=(1, 2)))
    trial.write_arrays(
        "examples",
        tile_ids=np.array(ids),
        change_db=log_ratio(pack, ids).astype(np.float16),
        mask=pack.mask[pack.rows(ids)],
        probs=predict_tiles(ids).astype(np.float32),
    )
