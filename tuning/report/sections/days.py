"""Scores by days after the event of a campaign whose trials replayed the calendar, read from MLflow."""

from collections.abc import Collection, Sequence
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import refused_error, show_value
from tuning.days.estimate import estimate_days
from tuning.days.reduce import ReducedReplay, ReplayedModel, reduce_replay
from tuning.days.result import DaysResult
from tuning.replay.record import read_replay
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.tracking.client import open_artifact

ARTIFACT = "trial/replay.npz"
_REMEDY = "Somebody changed or forged it: restore it, or delete the run in MLflow."


def read_days(
    client: MlflowClient, ranking: Ranking, layers: ReferenceLayers
) -> tuple[DaysResult, ...]:
    """Read and estimate the replays of a campaign's models, one run after the other.

    Args:
        client: MLflow client.
        ranking: The campaign's models.
        layers: The reference layers of its test tiles.

    Returns:
        The models whose runs all have a replay, in the order of the ranking; empty if none has.

    Raises:
        ValueError: If a file is not what a campaign logs, or of other tiles than its run's scores.
    """
    replayed = read_replays(client, ranking.models, layers.tile_ids)
    return tuple(estimate_days(replayed, ranking.units)) if replayed else ()


def read_replays(
    client: MlflowClient, models: Sequence[ModelResult], known: Collection[str]
) -> tuple[ReplayedModel, ...]:
    """Read and reduce the replays of models, one run after the other; models with a run that has none are left out.

    Args:
        client: MLflow client.
        models: Models of one campaign.
        known: Ids of its test tiles.

    Raises:
        ValueError: If a file is not what a campaign logs, or of other tiles than its run's scores.
    """
    found = (_read_model(client, model, known) for model in models)
    return tuple(model for model in found if model is not None)


def _has_replay(client: MlflowClient, run: Run) -> bool:
    return any(file.path == ARTIFACT for file in client.list_artifacts(run.info.run_id, "trial"))


def _read_model(
    client: MlflowClient, model: ModelResult, known: Collection[str]
) -> ReplayedModel | None:
    """Read a model's replays; None if one of its runs has none."""
    if not all(_has_replay(client, one.run) for one in model.runs):
        return None
    seeds = [
        [_read_run(client, one.run, one.tile_ids, known) for one in runs] for runs in model.by_seed
    ]
    return ReplayedModel(model.title, model.kind, not model.is_baseline, seeds)


def _read_run(
    client: MlflowClient, run: Run, tiles: Sequence[str], known: Collection[str]
) -> ReducedReplay:
    with open_artifact(client, run, ARTIFACT) as file:
        replay = read_replay(file, known)
        _check_tiles(replay.tile_ids.tolist(), list(tiles), file)
    return reduce_replay(replay)


def _check_tiles(got: list[str], wanted: list[str], path: Path) -> None:
    if got != wanted:
        other = next((tile for tile in got if tile not in wanted), got[0])
        rule = "A replay must have the run's test tiles in their order"
        raise refused_error(rule, show_value(other), path, _REMEDY)
