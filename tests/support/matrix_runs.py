"""A matrix in MLflow whose cells have planted effects: repeat runs are drawn, not trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Metric, RunTag
from mlflow.tracking import MlflowClient
from scipy.special import expit

from data.tiles import TILE_PX
from tests.support.replays import make_replay
from tuning.matrix.plan import PLAN_FILE, Axis, Cell, Level, MatrixPlan
from tuning.metrics.curve import average_precision, choose_threshold
from tuning.metrics.histogram import count_stored, edges
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import REFERENCE_FILE
from tuning.settings.cell import CELL_TAG, MATRIX_TAG, format_cell
from tuning.tracking.client import connect

HASH = "a" * 12


@dataclass(frozen=True)
class Planted:
    """What a matrix is drawn from.

    Attributes:
        plan: Its plan.
        gains: How far a cell lifts landslides, in logits, by campaign and model; 0 where nothing is said.
        side: Tiles along an edge of the square test area.
        missing: Campaigns that never began.
        lost: Seeds without a run, by campaign and model.
        seed: Of all random numbers.
        base: Lift of the reference by model.
        seed_spread: Standard deviation of the lift between seeds.
        other_tiles: Campaigns that are tested on another area.
        replayed: Campaigns whose runs replayed the calendar after the event.
    """

    plan: MatrixPlan
    gains: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    side: int = 3
    missing: Sequence[str] = ()
    lost: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    seed: int = 1
    base: Mapping[str, float] = field(default_factory=dict)
    seed_spread: float = 0.03
    other_tiles: Sequence[str] = ()
    replayed: Sequence[str] = ()


def make_axes() -> tuple[Axis, ...]:
    """Return two axes: channels, and an ordered share of the train tiles."""
    channels = Axis(
        "channels",
        "channels of the input",
        (
            Level("s1", {"channels": ["s1"]}),
            Level("VV", {"channels": ["VV"]}),
            Level("VH", {"channels": ["VH"]}),
        ),
        "s1",
    )
    shares = (0.25, 0.5, 1.0)
    train = Axis(
        "train",
        "share of the train tiles",
        tuple(Level(f"{share:g}", {"train_share": f"{share:g}"}, share) for share in shares),
        "1",
        ordered=True,
    )
    return channels, train


def make_plan(axes: Sequence[Axis], name: str = "planted", **changes: Any) -> MatrixPlan:
    """Return a plan of one cell per level, whose campaigns are named after their levels."""
    reference = Cell(f"{name}-reference", tuple((axis.name, axis.reference) for axis in axes))
    others = [
        Cell(f"{name}-{axis.name}-{number}", ((axis.name, level.text),))
        for axis in axes
        for number, level in enumerate(axis.levels)
        if level.text != axis.reference
    ]
    values: dict[str, Any] = {
        "name": name,
        "axes": tuple(axes),
        "cells": (reference, *others),
        "models": ("unet", "utae"),
        "baselines": ("log_ratio_vv",),
        "primary": axes[0].name,
        "search": "once",
        "margin": 0.02,
        "block_tiles": 1,
        "seeds": 3,
    }
    return MatrixPlan(**(values | changes))


def log_matrix(root: Path, planted: Planted) -> MlflowClient:
    """Log a matrix as the driver does; return the client."""
    client, experiment = connect(root)
    plan = planted.plan
    tags = {"kind": "matrix", "key": "matrix", MATRIX_TAG: plan.name}
    matrix = client.create_run(experiment, tags=tags, run_name=plan.name).info.run_id
    client.log_dict(matrix, json.loads(json.dumps(plan.to_json())), PLAN_FILE)
    rng = np.random.default_rng(planted.seed)
    areas = [Area.draw(rng, planted.side, place) for place in (0, 1)]
    for cell in plan.cells:
        if cell.campaign not in planted.missing:
            area = areas[cell.campaign in planted.other_tiles]
            _log_cell(client, experiment, matrix, planted, cell, area, rng)
    client.set_terminated(matrix)
    return client


@dataclass(frozen=True)
class Area:
    """A square of test tiles: ids, corners ``(N, 2)``, mask ``(N, H, W)``, and how hard each tile is ``(N, 1, 1)``."""

    ids: tuple[str, ...]
    corners: np.ndarray
    mask: np.ndarray
    hard: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, side: int, place: int) -> "Area":
        """Draw an area of *side* x *side* tiles."""
        count = side * side
        mask = np.zeros((count, TILE_PX, TILE_PX), np.uint8)
        for tile in mask:
            for row, column in rng.integers(4, 112, (int(rng.integers(2, 8)), 2)):
                tile[row : row + 9, column : column + 9] = 1
        steps = np.array([(number % side, number // side) for number in range(count)], np.float64)
        ids = tuple(f"hokkaido_{1000 * place + number}" for number in range(count))
        return cls(ids, 1280 * (steps + 100 * place), mask, rng.normal(0, 0.5, (count, 1, 1)))


def _log_cell(
    client: MlflowClient,
    experiment: str,
    matrix: str,
    planted: Planted,
    cell: Cell,
    area: Area,
    rng: np.random.Generator,
) -> None:
    plan, name = planted.plan, cell.campaign
    runs = {key: range(plan.seeds) for key in plan.models} | {
        key: range(1) for key in plan.baselines
    }
    shared = {"campaign": name, MATRIX_TAG: plan.name}
    tags = shared | {"kind": "campaign", "key": "campaign", "mlflow.parentRunId": matrix}
    tags[CELL_TAG] = format_cell(f"{axis}={level}" for axis, level in cell.places)
    tags[EXPECTED_RUNS_TAG] = json.dumps({key: len(seeds) for key, seeds in runs.items()})
    campaign = client.create_run(experiment, tags=tags, run_name=name).info.run_id
    _log_files(client, campaign, area, plan, cell)
    gains = planted.gains.get(name, {})
    for key, seeds in runs.items():
        lift = 2.5 + planted.base.get(key, 0.0) + gains.get(key, 0.0)
        lost = planted.lost.get(name, {}).get(key, ())
        fixed = key in plan.baselines  # the same in every cell, unless a gain is planted
        own = np.random.default_rng(planted.seed + 1) if fixed else rng
        shared_effect = 0.1 * own.standard_normal((len(area.ids), 1, 1))
        for seed in seeds:
            if seed not in lost:
                moved = lift + planted.seed_spread * own.standard_normal() + shared_effect
                trial = shared | {"study": key, "seed": str(seed), "mlflow.parentRunId": campaign}
                folder = _log_run(client, experiment, trial, area, moved, own)
                if name in planted.replayed:
                    own_lift = np.clip(moved[:, 0, 0] / 5, 0.05, 0.95)  # (N,)
                    found = np.array([0.0, 0.5, 0.8, 1.0])[:, None] * own_lift
                    replay = make_replay((0, 3, 9, 15), found, area.ids)
                    np.savez_compressed(folder / "replay.npz", **replay.to_arrays())
    client.set_terminated(campaign)


def _log_files(
    client: MlflowClient, campaign: str, area: Area, plan: MatrixPlan, cell: Cell
) -> None:
    flat = np.zeros(area.mask.shape)
    folder = Path(client.get_run(campaign).info.artifact_uri.removeprefix("file://"))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / REFERENCE_FILE,
        tile_ids=np.array(area.ids),
        mask=area.mask,
        dem=flat.astype(np.int16),
        change_db=flat.astype(np.float16),
        cover=np.zeros((0, 0, 0), np.uint8),
        cover_names=np.array([], str),
        corners=area.corners,
    )
    level = dict(cell.places).get("train", "1")
    tiles = round(160 * float(level))
    train = {"tiles": tiles, "positive_px": 900 * tiles}
    content = {"splits": [{"name": "blocks", "parts": {"train": train}}]}
    (folder / "splits.json").write_text(json.dumps(content))


def _log_run(
    client: MlflowClient,
    experiment: str,
    tags: Mapping[str, str],
    area: Area,
    lift: np.ndarray,
    rng: np.random.Generator,
) -> Path:
    """Log a finished repeat run whose logits are normal, higher by *lift* ``(N, 1, 1)`` on landslides; return its folder."""
    noise = rng.standard_normal(area.mask.shape, np.float32)
    probs = expit(-4.0 + noise + area.mask * (lift + area.hard))
    bins = np.searchsorted(edges(), probs.astype(np.float64), side="right") - 1
    bins = bins.astype(np.uint16)
    val = count_stored(bins[:2], area.mask[:2])
    ap = average_precision(count_stored(bins, area.mask))
    tags = dict(tags) | {"kind": "trial", "stage": "repeat", "fold": "blocks", "data": "synthetic"}
    tags["key"] = "-".join(tags[name] for name in ("campaign", "study", "seed"))
    tags |= {"preset": "quick", "split": "blocks", "split_hash": HASH, "data_hash": HASH}
    tags |= {"channels": "s1", "acquisitions": "15 all", "git_commit": "c" * 40, "ended_by": "last"}
    metrics = {
        "best/val_pr_auc": average_precision(val),
        "test/threshold": choose_threshold(val),
        "test/pr_auc": ap,
        "test/infer_seconds_total": 1.0,
        "test/infer_seconds_per_sample": 0.01,
        "cost/cpu_hours": 0.02,
        "cost/gpu_hours": 0.0,
    }
    run = client.create_run(experiment, run_name=f"{tags['study']}-{tags['seed']}")
    run_id, folder = run.info.run_id, Path(run.info.artifact_uri.removeprefix("file://")) / "trial"
    client.log_batch(
        run_id,
        [Metric(name, float(value), 0, 0) for name, value in metrics.items()],
        tags=[RunTag(name, text) for name, text in tags.items()],
    )
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "test_probs.npz", tile_ids=np.array(area.ids), bins=bins)
    np.save(folder / "val_counts.npy", val)
    client.set_terminated(run_id)
    return folder
