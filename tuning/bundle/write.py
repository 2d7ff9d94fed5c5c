"""The files of a bundle, made from a campaign's results: the same results make the same bytes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.splits import PARTS, Split
from tuning.bundle.archive import add_manifest, hash_bytes
from tuning.bundle.content import CAMPAIGN_FILE
from tuning.bundle.croissant import METADATA, describe_files
from tuning.bundle.fields import MAX_TEXT
from tuning.bundle.run_arrays import encode_run
from tuning.bundle.stored import ORIGIN_TAG
from tuning.bundle.tables import FOLDER
from tuning.bundle.texts import make_texts
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.report.sums.run_result import RunResult
from tuning.store.provenance import PROVENANCE, read_provenance

# Tags of a run that may be published: not its user, host or folders.
TAGS = ("study", "stage", "seed", "fold", "number", "model_uri", ORIGIN_TAG)
_ENVIRONMENT = ("env.code", "env.device", "env.gpu", "env.packages.", "env.python", "env.threads")
_PRIVATE_METRICS = "system/"  # of the machine over time


@dataclass(frozen=True)
class CampaignFacts:
    """What a bundle says of a campaign beside its results.

    Attributes:
        name: The campaign.
        created: When it began, in UTC, such as ``2026-01-31T12:00:00Z``.
        provenance: Texts by name; ``split_hash`` must be that of *splits*.
        margin: Of equivalence.
        block_tiles: Edge of a block in tiles.
        splits: The split, or one per fold.
    """

    name: str
    created: str
    provenance: Mapping[str, str]
    margin: float
    block_tiles: int
    splits: Sequence[Split]


def make_files(
    facts: CampaignFacts,
    models: Sequence[ModelResult],
    vals: Mapping[str, np.ndarray],
    layers: ReferenceLayers,
    tables: Mapping[str, str],
) -> dict[str, bytes]:
    """Return all files of a bundle by name, with its manifest.

    Args:
        facts: The campaign.
        models: Its models, in the order in which its report compares them.
        vals: Histogram of val ``(2, BINS)`` by run id; foreign runs may have none.
        layers: Labels and positions of the test tiles.
        tables: CSV of the report by file name.
    """
    files = {f"{FOLDER}/{name}": text.encode() for name, text in tables.items()}
    entries = []
    for model in models:
        runs = []
        for run in model.runs:
            name = f"runs/{sum(file.startswith('runs/') for file in files) + 1:04d}.npz"
            files[name] = encode_run(_list_arrays(run, vals.get(run.run.info.run_id), layers))
            runs.append(_describe_run(run, name))
        entries.append({"key": model.key, "title": model.title, "kind": model.kind, "runs": runs})
    content = {
        "name": facts.name,
        "created": facts.created,
        "provenance": {
            name: clean_text(facts.provenance[name]) for name in sorted(facts.provenance)
        },
        "margin": facts.margin,
        "block_tiles": facts.block_tiles,
        "splits": {split.name: _describe_split(split) for split in facts.splits},
        "tiles": _describe_tiles(models[0], layers),
        "models": entries,
    }
    files[CAMPAIGN_FILE] = _dump(content)
    files |= make_texts(facts.name, facts.provenance)
    files[METADATA] = _dump(describe_files(facts.name, facts.created, facts.provenance, files))
    return add_manifest(files)


def _dump(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _list_arrays(
    run: RunResult, val: np.ndarray | None, layers: ReferenceLayers
) -> dict[str, np.ndarray]:
    names = ("tiles", "counts", "at_half", "at_val", "boundary")
    arrays = {name: np.asarray(getattr(run, name)) for name in names}
    arrays["objects"] = run.objects.to_array()
    if val is not None:
        arrays["val"] = val
    if len(layers.truth):
        arrays["truth"] = run.truth
    return arrays


def _describe_run(run: RunResult, file: str) -> dict[str, Any]:
    data = run.run.data
    tags = {name: data.tags[name] for name in TAGS if name in data.tags}
    tags |= {name: text for name, text in data.tags.items() if name.startswith(_ENVIRONMENT)}
    known = read_provenance(data.tags)
    tags |= {name: str(known[name]) for name in PROVENANCE if known[name] is not None}
    metrics = {
        name: float(value)
        for name, value in data.metrics.items()
        if math.isfinite(value) and not name.startswith(_PRIVATE_METRICS)
    }
    return {
        "file": file,
        "run_id": run.run.info.run_id,
        "tiles": list(run.tile_ids),
        "tags": {name: clean_text(tags[name]) for name in sorted(tags)},
        "params": {name: clean_text(data.params[name]) for name in sorted(data.params)},
        "metrics": {name: metrics[name] for name in sorted(metrics)},
    }


def clean_text(text: str) -> str:
    """Return a text without control characters, of at most ``MAX_TEXT`` characters."""
    return "".join(one if one.isprintable() else "?" for one in str(text)[:MAX_TEXT])


def _describe_split(split: Split) -> dict[str, Any]:
    return {"hash": split.hash, **{part: list(split.part(part)) for part in PARTS}}


def _describe_tiles(model: ModelResult, layers: ReferenceLayers) -> dict[str, Any]:
    """Return position and label of each test tile; a label's SHA-256 is of its bytes, row by row, 1 for landslide."""
    ids = sorted(set(model.tile_ids))
    tiles = {}
    for tile, row in zip(ids, layers.rows(ids), strict=True):
        label = np.ascontiguousarray(layers.mask[row], np.uint8)
        west, north = layers.corners[row].tolist()
        tiles[tile] = {
            "west": west,
            "north": north,
            "label_sha256": hash_bytes(label.tobytes()),
            "positives": int(label.sum()),
            "pixels": int(label.size),
        }
    return tiles
