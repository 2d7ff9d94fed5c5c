"""Small bundles: two networks and a baseline on four spatial blocks, from drawn maps instead of trainings."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from data.splits import Split
from tests.support.model_results import make_layers
from tuning.bundle.archive import add_manifest, zip_files
from tuning.bundle.tables import MASTER, PAIRWISE, RUNS
from tuning.bundle.write import CampaignFacts, make_files
from tuning.metrics.curve import average_precision, choose_threshold
from tuning.metrics.histogram import BINS, reach
from tuning.report.ranking import make_test_units, rank_sums
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult, reduce_run
from tuning.report.sums.run_result import RunResult
from tuning.report.tables import make_comparison_rows, make_model_row, make_run_rows

TILES, SEEDS = 6, (42, 123, 777)
MARGIN, BLOCK_TILES = 0.02, 1
SPLIT = Split(
    "blocks",
    train=("hokkaido_101", "hokkaido_102"),
    val=("hokkaido_201",),
    test=tuple(f"hokkaido_{number}" for number in range(1, TILES + 1)),
)
QUALITY = {"unet": 0.3, "unet_convlstm": 0.25, "log_ratio_vv": 0.1}


def draw_layers() -> ReferenceLayers:
    """Return the layers of six tiles in a row, the last one without landslides, with a true ground."""
    draw = np.random.default_rng(3)
    mask = (draw.random((TILES, 128, 128)) < 0.05).astype(np.uint8)
    mask[-1] = 0
    truth = mask | (draw.random(mask.shape) < 0.01).astype(np.uint8)
    corners = np.array([(2560.0 * number, 0.0) for number in range(TILES)])
    return make_layers(mask, corners=corners, truth=truth)


def draw_run(key: str, seed: int, layers: ReferenceLayers) -> tuple[RunResult, np.ndarray]:
    """Return a run with a drawn map, and its histogram of val."""
    draw = np.random.default_rng(seed + sum(map(ord, key)))
    noise = draw.normal(0.4, 0.1, layers.mask.shape)
    bins = (np.clip(noise + QUALITY[key] * layers.mask, 0, 1) * (BINS - 1)).astype(np.uint16)
    val = np.zeros((2, BINS), np.int64)
    val[0, : reach(0.47)] = 2
    val[1, reach(0.45) : reach(0.9)] = 1
    tags = {"seed": str(seed), "fold": SPLIT.name, "study": key, "data": "synthetic"}
    tags |= {"campaign": "tiny", "preset": "smoke", "split": SPLIT.name, "split_hash": SPLIT.hash}
    tags |= {"regions": "hokkaido", "channels": "s1", "acquisitions": "2 even", "data_hash": "d"}
    tags |= {"git_commit": "c" * 40, "training": "as usual", "mlflow.user": "somebody"}
    tags |= {"env.node": "a-host", "env.packages.numpy": "2.0"}
    metrics = {"best/val_pr_auc": average_precision(val), "test/threshold": choose_threshold(val)}
    metrics |= {"cost/parameters": 122113.0, "test/infer_seconds_total": float("nan")}
    run: Any = SimpleNamespace(
        info=SimpleNamespace(run_id=f"{key}{seed}"),
        data=SimpleNamespace(tags=tags, metrics=metrics, params={"lr": "0.001"}),
    )
    return reduce_run(run, bins, layers.tile_ids, val, layers), val


def list_results(
    layers: ReferenceLayers,
) -> tuple[list[ModelResult], dict[str, np.ndarray]]:
    """Return two networks of three seeds and a baseline of one, and each run's histogram of val by run id."""
    models, vals = [], {}
    for key in QUALITY:
        drawn = [draw_run(key, seed, layers) for seed in (SEEDS if key != "log_ratio_vv" else (0,))]
        models.append(ModelResult(key, tuple(run for run, _ in drawn), {}))
        vals |= {run.run.info.run_id: val for run, val in drawn}
    return models, vals


def write_tables(
    models: list[ModelResult], layers: ReferenceLayers, block_tiles: int = BLOCK_TILES
) -> dict[str, str]:
    """Return the report's tables as CSV."""
    units = make_test_units(models[0], layers, block_tiles)
    ranking = rank_sums(models, units, MARGIN, block_tiles)
    rows = {
        MASTER: [make_model_row(model, ranking) | {"mmu_m2": 0.0} for model in ranking.models],
        RUNS: make_run_rows(ranking.models),
        PAIRWISE: make_comparison_rows(ranking),
    }
    return {name: pd.DataFrame(made).to_csv(index=False) for name, made in rows.items()}


def describe_campaign(**changes: Any) -> CampaignFacts:
    """Return the facts of the campaign ``tiny``."""
    provenance = {"data": "synthetic", "regions": "hokkaido", "split": SPLIT.name}
    provenance |= {"split_hash": SPLIT.hash, "version": "0.1.0", "commit": "c" * 40}
    values = {"name": "tiny", "created": "2026-01-31T12:00:00Z", "provenance": provenance}
    values |= {"margin": MARGIN, "block_tiles": BLOCK_TILES, "splits": [SPLIT]}
    return CampaignFacts(**(values | changes))


@cache
def _make_tiny() -> dict[str, bytes]:
    layers = draw_layers()
    models, vals = list_results(layers)
    return make_files(describe_campaign(), models, vals, layers, write_tables(models, layers))


def tiny_files() -> dict[str, bytes]:
    """Return the files of a whole bundle by name."""
    return dict(_make_tiny())


def write_bundle(path: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """Write a bundle of these files with a manifest that fits them; the tiny one if None."""
    given = {
        name: content
        for name, content in (files or tiny_files()).items()
        if name != "manifest.json"
    }
    path.write_bytes(zip_files(add_manifest(given), packed=False))  # packing takes a second
    return path


def edit_campaign(files: dict[str, bytes], edit: Any) -> dict[str, bytes]:
    """Return the files with ``campaign.json`` changed by ``edit(content)``."""
    content = json.loads(files["campaign.json"])
    edit(content)
    return files | {"campaign.json": json.dumps(content).encode()}
