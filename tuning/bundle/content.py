"""``campaign.json`` of a bundle: what a campaign is, its splits, test tiles, models and runs, as checked values.

The file comes from anybody. Every value is checked here before it is used, and an error names the value.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.io.digests import hash_parts, join_hashes
from data.io.safe_json import (
    check_safe_name,
    is_number,
    read_json,
    refused_error,
    show_value,
)
from data.tiles import TILE_ID_RULE, is_tile_id
from tuning.bundle.fields import Fields, is_unprintable
from tuning.bundle.stored import FOREIGN, ORIGIN_TAG
from tuning.statistics.blocks import BLOCK_TILES
from tuning.trial.folder import VAL_AP

CAMPAIGN_FILE = "campaign.json"
MAX_PIXELS = 2**31
# A run takes 3 MB of memory, and 16 KB for each of its tiles; comparisons take the square of the tiles of a model.
MAX_RUNS, MAX_TILES, MAX_ROWS = 1000, 5000, 100_000
_HASH = re.compile(r"[0-9a-f]{64}")
_RUN_FILE = re.compile(r"runs/[0-9]{4}\.npz")
_CREATED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_NEEDED_TAGS = ("study", "seed", "fold", "data", "split_hash")


@dataclass(frozen=True)
class TileEntry:
    """One test tile: its upper left corner in m, the SHA-256 and the landslide pixels of its label, and all its pixels."""

    west: float
    north: float
    label_sha256: str
    positives: int
    pixels: int


@dataclass(frozen=True)
class SplitEntry:
    """One split: its name, the hash of its lists, and the tile ids of its parts."""

    name: str
    hash: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class RunEntry:
    """One repeat run: the file of its arrays, its test tiles, and what it logged."""

    file: str
    run_id: str
    tiles: tuple[str, ...]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class ModelEntry:
    """One model: its registry key, its name in tables, its kind for the pooled variance of seeds, and its runs."""

    key: str
    title: str
    kind: str
    runs: tuple[RunEntry, ...]


@dataclass(frozen=True)
class Content:
    """The whole file; *splits* have the parts ``train``, ``val`` and ``test``, one per fold."""

    name: str
    created: str
    provenance: Mapping[str, str]
    margin: float
    block_tiles: int
    splits: tuple[SplitEntry, ...]
    tiles: Mapping[str, TileEntry]
    models: tuple[ModelEntry, ...]


def read_content(path: Path) -> Content:
    """Read and check ``campaign.json``.

    Raises:
        RefusedError: If a value is missing or not what a campaign has, such as a split whose hash is not that of its lists.
        OSError: If it cannot be read.
    """
    found = Fields(read_json(path), CAMPAIGN_FILE)
    provenance = found.texts("provenance")
    splits = _read_splits(found.object("splits"), provenance, path)
    tiles = {name: _read_tile(name, one) for name, one in found.object("tiles").items()}
    tests = {split.name: split.test for split in splits}
    models = tuple(
        _read_model(Fields(one, f"model {number} of {CAMPAIGN_FILE}"), tests, tiles)
        for number, one in enumerate(found.list("models"))
    )
    _check_sizes(models, path)
    _check_origin(models, provenance, path)
    titles = [model.title for model in models]
    if not models or len(set(titles)) < len(titles):
        raise refused_error("A bundle must have models, each once", show_value(titles), path)
    return Content(
        name=check_safe_name("campaign", found.values.get("name")),
        created=found.match("created", _CREATED, "a time in UTC, such as 2026-01-31T12:00:00Z"),
        provenance=provenance,
        margin=float(found.number("margin", 1e-9, 1)),
        block_tiles=int(found.number("block_tiles", 1, 1e6, whole=True, default=BLOCK_TILES)),
        splits=splits,
        tiles=tiles,
        models=models,
    )


def _check_sizes(models: Sequence[ModelEntry], path: Path) -> None:
    """Check that all runs fit into memory together."""
    runs = [run for model in models for run in model.runs]
    rows, tiles = sum(len(run.tiles) for run in runs), {tile for run in runs for tile in run.tiles}
    if len(runs) > MAX_RUNS or len(tiles) > MAX_TILES or rows > MAX_ROWS:
        rule = f"A bundle must have at most {MAX_RUNS:,} runs, {MAX_TILES:,} test tiles and {MAX_ROWS:,} tiles of runs"
        got = f"{len(runs):,}, {len(tiles):,} and {rows:,}"
        raise refused_error(rule, got, path)


def _check_origin(models: Sequence[ModelEntry], provenance: Mapping[str, str], path: Path) -> None:
    """Check that all runs are of the data and the split that the campaign names: real is never synthetic."""
    if provenance.get("data") not in ("synthetic", "real"):
        got = show_value(provenance.get("data"))
        raise refused_error("data must be synthetic or real", got, path)
    for run in (run for model in models for run in model.runs):
        for name in ("data", "split_hash"):
            if run.tags[name] != provenance[name]:
                rule = f"Every run must have the campaign's {name}, {provenance[name]}"
                raise refused_error(rule, show_value(run.tags[name]), run.file)


def _read_splits(
    found: Mapping[str, Any], provenance: Mapping[str, str], path: Path
) -> tuple[SplitEntry, ...]:
    """Return the splits by fold; each must have the hash of its lists, and all together the campaign's hash."""
    splits = []
    for name, values in found.items():
        one = Fields(values, f"split {show_value(name)} of {CAMPAIGN_FILE}")
        parts = {part: tuple(one.list(part)) for part in ("train", "val", "test")}
        listed = [tile for ids in parts.values() for tile in ids]
        if wrong := [tile for tile in listed if not is_tile_id(tile)]:
            raise refused_error(TILE_ID_RULE, show_value(wrong[0]), one.place)
        if len(set(listed)) < len(listed):
            raise refused_error("A tile must be in one part of a split", "one in two", one.place)
        if (found_hash := hash_parts(parts)) != one.values.get("hash"):
            got = f"{show_value(one.values.get('hash'))}, and lists with the hash {found_hash}"
            raise refused_error("A split's hash must be that of its lists", got, one.place)
        splits.append(SplitEntry(name, found_hash, **parts))
    if not splits or join_hashes([split.hash for split in splits]) != provenance.get("split_hash"):
        got = show_value(provenance.get("split_hash"))
        raise refused_error("split_hash must be the hash of all splits", got, path)
    return tuple(splits)


def _read_tile(name: str, values: object) -> TileEntry:
    one = Fields(values, f"tile {show_value(name)} of {CAMPAIGN_FILE}")
    if not is_tile_id(name):
        raise refused_error(TILE_ID_RULE, show_value(name), CAMPAIGN_FILE)
    pixels = int(one.number("pixels", 1, MAX_PIXELS, whole=True))
    return TileEntry(
        west=one.number("west", -1e9, 1e9),
        north=one.number("north", -1e9, 1e9),
        label_sha256=one.match("label_sha256", _HASH, "64 hexadecimal digits"),
        positives=int(one.number("positives", 0, pixels, whole=True)),
        pixels=pixels,
    )


def _read_model(
    found: Fields, tests: Mapping[str, tuple[str, ...]], tiles: Mapping[str, TileEntry]
) -> ModelEntry:
    title = found.text("title")
    runs = tuple(
        _read_run(Fields(one, f"run {number} of {title}"), tests, tiles)
        for number, one in enumerate(found.list("runs"))
    )
    pairs = {(run.tags["seed"], run.tags["fold"]) for run in runs}
    folds = {fold for _, fold in pairs}
    seeds = {seed for seed, _ in pairs}
    if not runs or len(pairs) < len(runs) or len(pairs) != len(folds) * len(seeds):
        got = show_value(sorted(pairs))
        raise refused_error(
            f"Every seed of {title} must have one run of every fold", got, found.place
        )
    return ModelEntry(found.text("key"), title, _read_kind(found), runs)


def _read_kind(found: Fields) -> str:
    kind = found.values.get("kind")
    if not isinstance(kind, str) or is_unprintable(kind):
        raise refused_error("kind must be a text", show_value(kind), found.place)
    return kind


def _read_run(
    found: Fields, tests: Mapping[str, tuple[str, ...]], tiles: Mapping[str, TileEntry]
) -> RunEntry:
    tags, ids = found.texts("tags"), found.list("tiles")
    lacking = [name for name in _NEEDED_TAGS if name not in tags]
    if lacking or not re.fullmatch("[0-9]{1,10}", tags["seed"]) or tags["fold"] not in tests:
        rule = f"A run must have the tags {', '.join(_NEEDED_TAGS)}, and the fold of a split"
        raise refused_error(rule, show_value(tags), found.place)
    strange = [tile for tile in ids if tile not in tests[tags["fold"]] or tile not in tiles]
    if strange or not ids or len(set(ids)) < len(ids):
        got = show_value(strange or ids)
        raise refused_error(
            "A run's tiles must be test tiles of its split, each once", got, found.place
        )
    metrics = _read_metrics(found)
    needed = ["test/threshold"] + ([] if tags.get(ORIGIN_TAG) == FOREIGN else [VAL_AP])
    for name in needed:
        if not 0 <= metrics.get(name, math.nan) <= 1:
            raise refused_error(
                f"The metric {name} must be from 0 to 1", metrics.get(name), found.place
            )
    return RunEntry(
        file=found.match("file", _RUN_FILE, "runs/NNNN.npz"),
        run_id=found.text("run_id"),
        tiles=tuple(ids),
        tags=tags,
        params=found.texts("params"),
        metrics=metrics,
    )


def _read_metrics(found: Fields) -> dict[str, float]:
    metrics = found.object("metrics")
    for name, value in metrics.items():
        if is_unprintable(name) or not is_number(value, -1e300, 1e300):
            got = f"{show_value(name)}: {show_value(value)}"
            raise refused_error("A metric must be a number", got, found.place)
    return {name: float(value) for name, value in metrics.items()}
