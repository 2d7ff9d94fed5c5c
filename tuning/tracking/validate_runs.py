"""Runs that somebody else may have logged: the tags, metrics and files of which a report is made.

A tracker is not trusted: its texts become cells of tables, keys of models and names of folders. What is wrong is refused
by the run's id, before any of it is used.
"""

import logging
import math
import re
from collections.abc import Collection
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
from models import list_models
from tuning.baselines.baselines import BASELINES
from tuning.metrics.histogram import BINS
from tuning.metrics.scores import METRICS
from tuning.tracking.client import find_runs

logger = logging.getLogger(__name__)

MOST_THREADS = 1024
MOST_CHARS = 300  # of a tag that a table shows
# Tags of a repeat run that stand in tables as they are.
PROVENANCE = (
    *("campaign", "preset", "split", "split_hash", "data_hash", "data", "channels", "acquisitions"),
    "git_commit",
)
ROUNDING = 0.001  # sums of floats may end a little outside a score's range
# Greatest value of each metric that a report needs.
NEEDED_METRICS = {
    **dict.fromkeys(("best/val_pr_auc", "test/threshold", "test/pr_auc"), 1 + ROUNDING),
    **dict.fromkeys(("test/infer_seconds_total", "test/infer_seconds_per_sample"), 1e9),
}
PROBS = {
    "tile_ids": ArraySpec("str", (None,)),
    "bins": ArraySpec("uint16", (None, TILE_PX, TILE_PX)),
}
COUNTS = ArraySpec("int64", (2, BINS))
_MODEL_URI = re.compile(r"(?:models:/m-[0-9a-f]{32})?")
_REMEDY = "Somebody changed or forged it: restore it, or delete the run in MLflow."


def find_campaign(client: MlflowClient, experiment_id: str, name: str | None) -> Run:
    """Return the run of the campaign of that name, or of the latest; a name is one that a folder may have.

    Raises:
        ValueError: If there is none.
    """
    runs: dict[str, Run] = {}
    for run in find_runs(client, experiment_id, kind="campaign"):
        if is_safe_name(found := run.data.tags.get("campaign")):
            runs[str(found)] = run
        else:  # it would become a folder's
            logger.warning(
                "Passed over run %s: %s is no campaign's name.", run.info.run_id, show_value(found)
            )
    if not runs:
        raise ValueError(
            "A report needs a campaign, but MLflow holds none. Run `python -m tuning.run`."
        )
    if name is not None and name not in runs:
        raise ValueError(unknown_name("campaign", name, runs))
    return runs[name or list(runs)[-1]]


def read_expected(campaign: Run, tag: str) -> dict[str, int]:
    """Return how many repeat runs a campaign should have, by model.

    Raises:
        ValueError: If its tag is no such JSON object.
    """
    place = f"the tag {tag} of run {campaign.info.run_id}"
    expected = parse_object(campaign.data.tags.get(tag, "{}"), place)
    for model, count in expected.items():
        if not is_model(model) or not is_number(count, 0, 10_000, whole=True):
            got = f"{show_value(count)} of {show_value(model)}"
            raise refused_error("Runs must be expected of known models", got, place, _REMEDY)
    return expected


def is_model(key: object) -> bool:
    """Tell whether a key is that of an architecture or a baseline."""
    return isinstance(key, str) and (key in list_models() or key in BASELINES)


def check_repeat(run: Run) -> None:
    """Refuse a repeat run that a report cannot be made of.

    Args:
        run: A run that ended and was measured on test.

    Raises:
        ValueError: If a tag is missing, of another form or longer than ``MOST_CHARS``, or a score is missing
            or out of range.
    """
    tags, place = run.data.tags, f"run {run.info.run_id}"
    for name in ("study", "seed", "fold", *PROVENANCE):
        text = tags.get(name)
        if text is None or len(text) > MOST_CHARS or not text.isprintable():
            rule = f"The tag {name} must be one line of {MOST_CHARS} characters at most"
            raise refused_error(rule, show_value(text), place, _REMEDY)
    if not is_model(tags["study"]):
        raise refused_error(
            "The tag study must be a known model", show_value(tags["study"]), place, _REMEDY
        )
    if not re.fullmatch(r"[0-9]{1,10}", tags["seed"]):
        raise refused_error(
            "The tag seed must be a whole number", show_value(tags["seed"]), place, _REMEDY
        )
    if tags["data"] not in ("synthetic", "real"):
        raise refused_error(
            "The tag data must be synthetic or real", show_value(tags["data"]), place, _REMEDY
        )
    if not _MODEL_URI.fullmatch(uri := tags.get("model_uri", "")):
        raise refused_error(
            "The tag model_uri must be a logged model's", show_value(uri), place, _REMEDY
        )
    check_split(tags["fold"])
    for name, most in NEEDED_METRICS.items():
        if not 0 <= (value := run.data.metrics.get(name, math.nan)) <= most:
            raise refused_error(
                f"The metric {name} must be from 0 to {most:g}", value, place, _REMEDY
            )
    for (
        name,
        metric,
    ) in METRICS.items():  # a run of an older version may lack some; NaN is a score of 0 / 0
        value = run.data.metrics.get(f"test/{name}", math.nan)
        if value < metric.low - ROUNDING or value > metric.high + ROUNDING:
            rule = f"The metric test/{name} must be from {metric.low:g} to {metric.high:g}"
            raise refused_error(rule, value, place, _REMEDY)


def check_search(run_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a search trial's row if its network, number and epochs are some.

    Raises:
        ValueError: If one of them is not.
    """
    place, number, epochs = f"run {run_id}", row["number"], row["epochs"]
    if row["model"] not in list_models():
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


def check_environment(found: dict[str, Any], place: str) -> None:
    """Refuse an ``environment.json`` without device, packages, or a number of threads that can be used again."""
    threads, device = found.get("threads"), found.get("device")
    counted = is_number(threads, 1, MOST_THREADS, whole=True)
    if not (counted and device in ("cpu", "cuda") and is_string_map(found.get("packages"))):
        rule = f"environment.json must have a device, 1 to {MOST_THREADS} threads and packages"
        raise refused_error(
            rule, show_value({"threads": threads, "device": device}), place, _REMEDY
        )


def check_ids(ids: Collection[str], path: Path) -> tuple[str, ...]:
    """Return tile ids if each is one, and none comes twice; raise ValueError otherwise."""
    if strange := [one for one in ids if not is_tile_id(one)]:
        raise refused_error(TILE_ID_RULE, show_value(strange[0]), path, _REMEDY)
    if len(set(ids)) < len(ids) or not ids:
        raise refused_error(
            "Tiles must come once", f"{len(ids)} ids of {len(set(ids))} tiles", path, _REMEDY
        )
    return tuple(ids)


def read_probs(path: Path, known: Collection[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a ``test_probs.npz``.

    Args:
        path: The file, within the limits of :mod:`data.io.safe_arrays`.
        known: The tiles of the campaign's ground.

    Returns:
        Ids of N tiles, and their probability bins ``(N, H, W)``, uint16.

    Raises:
        ValueError: If the file is not what a measurement writes, or names a tile that is not known.
    """
    found = read_arrays(path, PROBS)
    ids, bins = check_ids([str(one) for one in found["tile_ids"]], path), found["bins"]
    if len(ids) != len(bins) or bins.max() >= BINS:
        got = f"{len(bins)} with bins up to {bins.max(initial=0)}"
        raise refused_error(f"{len(ids)} tiles must have bins below {BINS}", got, path, _REMEDY)
    if strange := sorted(set(ids).difference(known)):
        raise refused_error("A test tile must be among the campaign's", strange[0], path, _REMEDY)
    return ids, bins


def read_counts(path: Path) -> np.ndarray:
    """Read a histogram, ``val_counts.npy``, shape ``(2, BINS)``, int64; raise ValueError if it is none."""
    counts = read_array(path, COUNTS)
    if counts.min() < 0 or counts.max() > 2**40:
        raise refused_error("A histogram must count pixels", f"{counts.min()}", path, _REMEDY)
    return counts
