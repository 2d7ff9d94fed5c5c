"""Scores a folder of foreign predictions: everything is read and checked before anything is written."""

from dataclasses import asdict
from pathlib import Path

from data.io.safe_json import RefusedError
from tuning.metrics.curve import average_precision
from tuning.score.existing import check_free_name, find_new
from tuning.score.read_predictions import Prediction, read_predictions
from tuning.score.record import describe_threshold, record_predictions
from tuning.score.target import Target
from tuning.trial.foreign.names import foreign_title
from tuning.trial.foreign.provenance import (
    PROVENANCE_FILE,
    Provenance,
    make_provenance,
    read_provenance_file,
)


def score_predictions(
    target: Target,
    folder: Path,
    name: str,
    threshold: float | None = None,
    provenance: str | None = None,
) -> list[str]:
    """Score predictions and record them in the campaign; return what was done in lines for the terminal.

    The same predictions under the same name are recorded once; a further seed is added.

    Args:
        target: The campaign.
        folder: Folder of the predictions.
        name: Name of the row.
        threshold: For predictions without val tiles; 0.5 if None.
        provenance: Who made them; None if ``provenance.json`` beside them says so.

    Raises:
        ValueError: If the name is taken, or the predictions or their provenance are not as they must be.
    """
    key = check_free_name(target, name)
    predictions = read_predictions(target, folder, threshold)
    stated = find_provenance(folder, provenance)
    params = asdict(stated) | {"threshold": describe_threshold(predictions)}
    new = find_new(target, key, predictions, params)
    if new:
        record_predictions(target, key, new, stated)
    lines = [_describe(key, one) for one in predictions]
    if not new:
        lines.append(
            f"{foreign_title(key)} has these predictions already; nothing is recorded twice."
        )
    return lines


def find_provenance(folder: Path, text: str | None) -> Provenance:
    """Return the provenance that the user typed, or that of the folder's ``provenance.json``.

    Raises:
        RefusedError: If there is neither, or it is malformed.
    """
    file = folder / PROVENANCE_FILE
    if text is not None:
        return make_provenance(text)
    if not file.is_file():
        raise RefusedError(
            f"A foreign row must say who made it, but got neither --provenance nor {file}. Give one of them."
        )
    return read_provenance_file(file)


def _describe(key: str, one: Prediction) -> str:
    where = "chosen on val" if one.val is not None else "given, since there are no val tiles"
    return (
        f"{foreign_title(key)}, seed {one.seed} on {one.fold}: {len(one.tile_ids)} test tiles, AP "
        f"{average_precision(one.counts):.3f}, threshold {one.threshold:.3f} ({where})."
    )
