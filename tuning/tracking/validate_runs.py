"""Checks of runs that somebody else may have logged: the tags, metrics and files that a report reads.

A tracker is not trusted: its texts become table cells, model keys and folder names. Every value is checked before it is
used, and an error names the run.
"""

import logging
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.errors import unknown_name
from data.io.safe_arrays import ArraySpec, read_array, read_arrays
from data.io.safe_json import (
    is_number,
    is_safe_name,
    is_string_map,
    parse_object,
    refused_error,
    show_value,
)
from data.splits import check_split
from data.tiles import TILE_ID_RULE, TILE_PX, is_tile_id
from data.tiles.paths import is_region
from models import announce_network, is_network
from tuning.baselines.baselines import BASELINES
from tuning.metrics.histogram import BINS
from tuning.metrics.scores import METRICS
from tuning.store.duplicates import DUPLICATE
from tuning.store.provenance import PROVENANCE, read_provenance
from tuning.tracking.client import check_not_deleted, find_runs
from tuning.trial.folder import VAL_AP
from tuning.trial.foreign.names import OWN, is_foreign, name_origin

logger = logging.getLogger(__name__)

NETWORKS_TAG = "networks"  # of a campaign's run: titles of networks from outside by name, as JSON
MAX_THREADS = 1024
MAX_CHARS = 300  # of a tag that a table shows
ROUNDING = 0.001  # sums of floats may end a little outside a score's range
# Maximum of each metric that a report needs.
NEEDED_METRICS = {
    **dict.fromkeys((VAL_AP, "test/threshold", "test/pr_auc"), 1 + ROUNDING),
    **dict.fromkeys(("test/infer_seconds_total", "test/infer_seconds_per_sample"), 1e9),
}
# Of these, what foreign predictions may lack: they may have no val tiles, and nobody measured their time.
NEVER_FOREIGN = frozenset(NEEDED_METRICS) - {"test/threshold", "test/pr_auc"}
PROBS = {
    "tile_ids": ArraySpec("str", (None,)),
    "bins": ArraySpec("uint16", (None, TILE_PX, TILE_PX)),
}
COUNTS = ArraySpec("int64", (2, BINS))
_MODEL_URI = re.compile(r"(?:models:/m-[0-9a-f]{32})?")
_REMEDY = "Somebody changed or forged it: restore it, or delete the run in MLflow."


def find_campaign(client: MlflowClient, experiment_id: str, name: str | None) -> Run:
    """Return the run of the named campaign, or of the latest; names that are unsafe for a folder are skipped.

    Raises:
        ValueError: If there is no such campaign, or its networks have invalid names.
    """
    runs: dict[str, Run] = {}
    for run in find_runs(client, experiment_id, kind="campaign"):
        if run.data.tags.get(DUPLICATE):
            continue
        if is_safe_name(tag := run.data.tags.get("campaign")):
            runs[str(tag)] = run
        else:  # the report's folder has the campaign's name
            logger.warning(
                "Skipped run %s: %s is not a valid campaign name.", run.info.run_id, show_value(tag)
            )
    if name not in runs and (name is not None or not runs):
        check_not_deleted(client, experiment_id, name)
    if not runs:
        raise ValueError(
            "A report needs a campaign, but MLflow holds none. Run `python -m tuning.run`."
        )
    if name is not None and name not in runs:
        raise ValueError(unknown_name("campaign", name, runs))
    found = runs[name or list(runs)[-1]]
    announce_networks(found)
    return found


def announce_networks(campaign: Run) -> None:
    """Let this process name the networks from outside of a campaign, whose code is perhaps not here.

    Raises:
        ValueError: If the tag that lists them is not a JSON object of names and titles.
    """
    place = f"the tag {NETWORKS_TAG} of run {campaign.info.run_id}"
    for name, title in parse_object(campaign.data.tags.get(NETWORKS_TAG, "{}"), place).items():
        try:
            announce_network(name, title)
        except ValueError as error:
            raise refused_error("Networks must have valid names", error, place, _REMEDY) from error


def read_expected(campaign: Run, tag: str) -> dict[str, int]:
    """Return the number of repeat runs that a campaign should have, by model.

    Raises:
        ValueError: If the tag is not a JSON object of known models and counts.
    """
    place = f"the tag {tag} of run {campaign.info.run_id}"
    expected = parse_object(campaign.data.tags.get(tag, "{}"), place)
    for model, count in expected.items():
        if not is_model(model) or not is_number(count, 0, 10_000, whole=True):
            got = f"{show_value(count)} of {show_value(model)}"
            raise refused_error("Runs must be expected of known models", got, place, _REMEDY)
    return expected


def is_model(key: object) -> bool:
    """Return whether *key* is the key of an architecture, a baseline or foreign predictions."""
    return isinstance(key, str) and (is_network(key) or key in BASELINES or is_foreign(key))


def check_repeat(run: Run) -> None:
    """Check the tags and scores of a repeat run.

    Args:
        run: A finished run with test scores.

    Raises:
        ValueError: If a tag is missing, malformed or longer than ``MAX_CHARS``, or a score is missing or out of
            range.
    """
    place = f"run {run.info.run_id}"
    _check_tags(run.data.tags | read_provenance(run.data.tags), place)
    is_other = is_foreign(run.data.tags["study"])
    optional = NEVER_FOREIGN.difference(run.data.metrics) if is_other else ()
    for name, most in NEEDED_METRICS.items():
        value = run.data.metrics.get(name, math.nan)
        if name not in optional and not 0 <= value <= most:
            raise refused_error(
                f"The metric {name} must be from 0 to {most:g}", value, place, _REMEDY
            )
    for name, metric in METRICS.items():  # an older version lacks some; NaN is a score of 0 / 0
        value = run.data.metrics.get(f"test/{name}", math.nan)
        if value < metric.low - ROUNDING or value > metric.high + ROUNDING:
            rule = f"The metric test/{name} must be from {metric.low:g} to {metric.high:g}"
            raise refused_error(rule, value, place, _REMEDY)


def _check_tags(tags: Mapping[str, str], place: str) -> None:
    for name in ("study", "seed", "fold", *PROVENANCE):
        text = tags.get(name)
        if text is None or len(text) > MAX_CHARS or not text.isprintable():
            rule = f"The tag {name} must be one line of {MAX_CHARS} characters at most"
            raise refused_error(rule, show_value(text), place, _REMEDY)
    origin = name_origin(tags["study"])
    rules = {
        "study": ("a known model", is_model(tags["study"])),
        "seed": ("a whole number", re.fullmatch(r"[0-9]{1,10}", tags["seed"])),
        "data": ("synthetic or real", tags["data"] in ("synthetic", "real")),
        "model_uri": ("a logged model's", _MODEL_URI.fullmatch(tags.get("model_uri", ""))),
        "regions": ("names of regions", all(map(is_region, tags["regions"].split() or [""]))),
        "origin": (f"{origin} for {tags['study']}", tags.get("origin", OWN) == origin),
    }
    for name, (rule, holds) in rules.items():
        if not holds:
            got = show_value(tags.get(name))
            raise refused_error(f"The tag {name} must be {rule}", got, place, _REMEDY)
    check_split(tags["fold"])


def check_search(run_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a search trial's row after a check of its model, number and epochs.

    Raises:
        ValueError: If one of them is invalid.
    """
    place, number, epochs = f"run {run_id}", row["number"], row["epochs"]
    if not is_network(row["model"]):
        raise refused_error(
            "The tag study must be a known network", show_value(row["model"]), place, _REMEDY
        )
    if number is not None and not re.fullmatch(r"[0-9]{1,9}", number):
        raise refused_error(
            "The tag number must be a whole number", show_value(number), place, _REMEDY
        )
    if not (math.isnan(epochs) or 0 <= epochs <= 1e9):
        raise refused_error("The metric epochs must be a number", epochs, place, _REMEDY)
    return row


def check_environment(content: dict[str, Any], place: str) -> None:
    """Check device, packages and number of threads of an ``environment.json``.

    Raises:
        ValueError: If one of them is missing or invalid.
    """
    threads, device = content.get("threads"), content.get("device")
    valid = is_number(threads, 1, MAX_THREADS, whole=True)
    if not (valid and device in ("cpu", "cuda") and is_string_map(content.get("packages"))):
        rule = f"environment.json must have a device, 1 to {MAX_THREADS} threads and packages"
        raise refused_error(
            rule, show_value({"threads": threads, "device": device}), place, _REMEDY
        )


def check_ids(ids: Collection[str], path: Path) -> tuple[str, ...]:
    """Return tile ids after a check; raise ValueError if one is malformed or repeated, or there is none."""
    if malformed := [tile for tile in ids if not is_tile_id(tile)]:
        raise refused_error(TILE_ID_RULE, show_value(malformed[0]), path, _REMEDY)
    if len(set(ids)) < len(ids) or not ids:
        raise refused_error(
            "Tiles must come once", f"{len(ids)} ids of {len(set(ids))} tiles", path, _REMEDY
        )
    return tuple(ids)


def read_probs(path: Path, known: Collection[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a ``test_probs.npz``.

    Args:
        path: The file, within the limits of :mod:`data.io.safe_arrays`.
        known: The tiles of the campaign's reference layers.

    Returns:
        Ids of N tiles, and their probability bins ``(N, H, W)``, uint16.

    Raises:
        ValueError: If the file is malformed, or has an unknown tile.
    """
    arrays = read_arrays(path, PROBS)
    ids, bins = check_ids([str(tile) for tile in arrays["tile_ids"]], path), arrays["bins"]
    if len(ids) != len(bins) or bins.max() >= BINS:
        got = f"{len(bins)} with bins up to {bins.max(initial=0)}"
        raise refused_error(f"{len(ids)} tiles must have bins below {BINS}", got, path, _REMEDY)
    if unknown := sorted(set(ids).difference(known)):
        raise refused_error("A test tile must be among the campaign's", unknown[0], path, _REMEDY)
    return ids, bins


def read_counts(path: Path) -> np.ndarray:
    """Read a histogram, ``val_counts.npy``, shape ``(2, BINS)``, int64; raise ValueError if it is malformed."""
    counts = read_array(path, COUNTS)
    if counts.min() < 0 or counts.max() > 2**40:
        raise refused_error("A histogram must count pixels", f"{counts.min()}", path, _REMEDY)
    return counts
