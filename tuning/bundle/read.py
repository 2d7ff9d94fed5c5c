"""Read a bundle: a campaign's results in one zip file, from which its ranking follows without tiles, networks or MLflow.

The format, version 1. ``manifest.json`` lists every other file with its SHA-256. ``campaign.json`` (:mod:`tuning.bundle.content`) has the
campaign's name, time and provenance, the margin of equivalence and the edge of a block, the splits with their tile ids and
hashes, each test tile's corner, landslide pixels and SHA-256 of its label, and the models with their runs: tags, params and
metrics as logged, and the file of the run's arrays. Such a file, ``runs/NNNN.npz`` (:mod:`tuning.bundle.run_arrays`), has integers
alone: the histogram of probability by class of each test tile (2 x 4,096 bins), that of all test pixels and of val (2 x 65,025
bins), the latter against the true ground too if that is known, and per tile the pixels tp, fp, fn and tn at 0.5 and at the
threshold chosen on val, the counts of landslides as objects and of boundary pixels. ``tables/`` has the report's tables as the report
wrote them: what a verification must find again. ``metadata.json`` describes the files in Croissant, ``README.txt`` in words;
``LICENCES.txt`` and ``ATTRIBUTION.md`` have the licences of code and data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.io.safe_json import refused_error
from data.tiles.paths import region_of
from tuning.bundle.archive import open_archive
from tuning.bundle.check_counts import check_run
from tuning.bundle.content import CAMPAIGN_FILE, Content, ModelEntry, RunEntry, read_content
from tuning.bundle.run_arrays import decode_run
from tuning.bundle.stored import RunData, RunInfo, StoredModel, StoredRun, find_origin, make_run
from tuning.bundle.tables import MASTER, read_tables
from tuning.report.sums.run_result import RunResult
from tuning.statistics.blocks import SamplingUnits, make_units


@dataclass(frozen=True)
class BundledModel:
    """One model of a bundle.

    Attributes:
        key: Registry key, such as ``unet``.
        title: Name in tables.
        origin: ``trained here``, ``baseline`` or ``foreign``.
        result: Its runs, as the report has them.
        row: Its row of ``benchmark_master.csv``, by column, as texts.
    """

    key: str
    title: str
    origin: str
    result: StoredModel
    row: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Over the models of one kind, the seeds' variance is pooled."""
        return self.result.kind

    @property
    def seeds(self) -> tuple[int, ...]:
        """The S seeds, ascending."""
        return self.result.seeds

    def stack(self, name: str) -> np.ndarray:
        """Return sums per seed and tile, shape ``(S, N, D)``, for :mod:`tuning.statistics`.

        Args:
            name: ``tiles`` (histograms, for :func:`tuning.metrics.tile_sums.pooled_ap`), ``at_half`` or ``at_val`` (tp, fp, fn, tn),
                ``objects`` or ``boundary``.
        """
        return self.result.stack(name)


@dataclass(frozen=True)
class Bundle:
    """A campaign's results, as everybody may read them.

    Attributes:
        name: The campaign.
        created: When it began, in UTC, such as ``2026-01-31T12:00:00Z``.
        provenance: Texts by name: ``data`` (synthetic or real), ``regions``, ``split``, ``split_hash``, ``data_hash``, ``channels``,
            ``acquisitions``, ``preset``, ``version``, ``commit``, ``packages`` and more.
        tile_ids: The N test tiles, fold after fold.
        label_hashes: SHA-256 of each tile's label, 64 hexadecimal digits.
        positives: Landslide pixels of each tile, shape ``(N,)``, int64.
        corners: West and north of each tile's upper left corner in m, shape ``(N, 2)``.
        folds: Name of each tile's fold.
        margin: Difference in average precision below which two models count as equivalent.
        block_tiles: Edge of a spatial block in tiles.
        models: In the order in which the campaign compared them.
        tables: The report's tables by file name, such as ``pairwise.csv``, every cell as its text.
    """

    name: str
    created: str
    provenance: Mapping[str, str]
    tile_ids: tuple[str, ...]
    label_hashes: tuple[str, ...]
    positives: np.ndarray
    corners: np.ndarray
    folds: tuple[str, ...]
    margin: float
    block_tiles: int
    models: tuple[BundledModel, ...]
    tables: Mapping[str, pd.DataFrame]

    @cached_property
    def units(self) -> SamplingUnits:
        """Spatial blocks and folds of the test tiles, as the campaign's report made them."""
        regions = [region_of(tile) for tile in self.tile_ids]
        return make_units(self.corners, self.folds, regions, self.positives, self.block_tiles)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle from anybody, and check that its files are whole and that its counts agree with each other.

    Args:
        path: The zip file.

    Raises:
        RefusedError: If it is no bundle, one of another version, or damaged, or if counts contradict each other, such as a
            histogram and the pixels of its tile; the message names the file or the run.
        OSError: If it cannot be read.
    """
    with open_archive(path) as folder:
        content = read_content(folder / CAMPAIGN_FILE)
        tables = read_tables(folder)
        rows = {row["model"]: row for row in tables[MASTER].to_dict("records")}
        models = tuple(_read_model(entry, content, rows, folder) for entry in content.models)
    return _make_bundle(content, models, tables)


def _make_bundle(
    content: Content, models: tuple[BundledModel, ...], tables: Mapping[str, pd.DataFrame]
) -> Bundle:
    first = models[0]
    ids = first.result.tile_ids
    for model in models:
        for runs in model.result.by_seed:
            tested = [(run.fold, run.tile_ids) for run in runs]
            if tested != [(run.fold, run.tile_ids) for run in first.result.by_seed[0]]:
                got = f"others for {model.title} seed {runs[0].seed}"
                raise refused_error("All runs must have the same test tiles", got, CAMPAIGN_FILE)
    tiles = [content.tiles[tile] for tile in ids]
    return Bundle(
        name=content.name,
        created=content.created,
        provenance=content.provenance,
        tile_ids=ids,
        label_hashes=tuple(tile.label_sha256 for tile in tiles),
        positives=np.array([tile.positives for tile in tiles], np.int64),
        corners=np.array([(tile.west, tile.north) for tile in tiles], np.float64),
        folds=first.result.folds,
        margin=content.margin,
        block_tiles=content.block_tiles,
        models=models,
        tables=tables,
    )


def _read_model(
    entry: ModelEntry, content: Content, rows: Mapping[str, Mapping[Any, Any]], folder: Path
) -> BundledModel:
    if entry.title not in rows:
        raise refused_error(
            f"{MASTER} must have a row of every model", f"none of {entry.title}", MASTER
        )
    runs = tuple(_read_run(run, content, folder) for run in entry.runs)
    result = StoredModel(entry.key, runs, {}, name=entry.title, stored_kind=entry.kind)
    row = {str(name): str(value) for name, value in rows[entry.title].items()}
    return BundledModel(entry.key, entry.title, find_origin(result), result, row)


def _read_run(entry: RunEntry, content: Content, folder: Path) -> RunResult:
    file = folder / entry.file
    if not file.is_file():
        raise refused_error("Every run must have its file", f"no {entry.file}", CAMPAIGN_FILE)
    arrays = decode_run(file, len(entry.tiles))
    check_run(arrays, entry, [content.tiles[tile] for tile in entry.tiles])
    run = StoredRun(RunInfo(entry.run_id), RunData(entry.tags, entry.params, entry.metrics))
    return make_run(run, entry.tiles, arrays)
