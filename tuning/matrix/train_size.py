"""Size of a cell's train part, read from the audit of its splits, which the campaign's run has as an artifact."""

from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import is_number, read_json, refused_error, show_value
from tuning.tracking.client import open_artifact

SPLITS_FILE = "splits.json"
NEEDED = ("tiles", "positive_px")  # of the train part of each split


def read_train_size(client: MlflowClient, campaign: Run) -> tuple[float, float] | None:
    """Return the number of train tiles and of their landslide pixels, mean over folds; None if it was not logged.

    Raises:
        ValueError: If the file is not the audit of splits that a campaign logs.
    """
    if SPLITS_FILE not in {file.path for file in client.list_artifacts(campaign.info.run_id)}:
        return None
    with open_artifact(client, campaign, SPLITS_FILE) as file:
        splits: Any = read_json(file).get("splits")
        parts = [_find_train(split) for split in splits] if isinstance(splits, list) else []
        wrong = [part for part in parts if not all(is_number(one, 0, 1e12) for one in part)]
        if wrong or not parts:
            rule = "The audit of splits must have the size of each train part"
            raise refused_error(rule, show_value(wrong or splits), file)
    tiles, pixels = (sum(column) / len(parts) for column in zip(*parts, strict=True))
    return tiles, pixels


def _find_train(split: Any) -> tuple[Any, Any]:
    parts = split.get("parts") if isinstance(split, dict) else None
    train = parts.get("train") if isinstance(parts, dict) else None
    tiles, pixels = (train.get(name) if isinstance(train, dict) else None for name in NEEDED)
    return tiles, pixels
