"""Several runs of one trial: which one counts, and a mark on the others.

They come from answers that were lost after a run was created, or from a deleted run that was restored after another had
replaced it. The choice is made anew from the runs at each reading; the mark is for people who look at MLflow.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import show_value

logger = logging.getLogger(__name__)

DUPLICATE = "duplicate_of"  # tag of a run that does not count: id of the run that does
REPEAT_KEYS = ("study", "fold", "seed", "stage")  # tags that identify a trial of the repeat stage


def choose_run(client: MlflowClient, runs: Sequence[Run]) -> Run:
    """Return the one of several runs of a trial that counts: the one with the longest history.

    Of equally long ones the finished one counts, then the one with a model, then the oldest.

    Args:
        client: MLflow client.
        runs: Runs of one trial, at least one, oldest first.
    """
    if len(runs) == 1:
        return runs[0]

    def rank(run: Run) -> tuple[int, int, int]:
        history = client.get_metric_history(run.info.run_id, "val_pr_auc")
        tags, metrics = run.data.tags, run.data.metrics
        steps = len({metric.step for metric in history})
        ended = (run.info.status == "FINISHED") + ("ended_by" in tags) + ("test/pr_auc" in metrics)
        return steps, ended, int("model_uri" in tags)

    return max(runs, key=rank)


class Duplicate(NamedTuple):
    """A run that does not count, and the run of the same trial that does.

    Attributes:
        kept: Id of the run that counts.
        other: Id of the run that does not.
        name: Displayed name of both.
    """

    kept: str
    other: str
    name: str

    def describe(self) -> str:
        """Return a sentence that names both runs."""
        return (
            f"MLflow has a second run of {show_value(self.name)}: {self.kept} counts, {self.other} does not "
            f"(tag {DUPLICATE})."
        )


def list_duplicates(chosen: Run, runs: Sequence[Run]) -> list[Duplicate]:
    """List the runs of one trial that do not count."""
    kept = chosen.info.run_id
    return [
        Duplicate(kept, run.info.run_id, str(run.info.run_name))
        for run in runs
        if run.info.run_id != kept
    ]


def mark_duplicates(client: MlflowClient, duplicates: Sequence[Duplicate]) -> None:
    """Tag the runs that do not count, close those that are open, and name them in the log."""
    for one in duplicates:
        run, kept = client.get_run(one.other), client.get_run(one.kept)
        if run.data.tags.get(DUPLICATE) != one.kept:
            client.set_tag(one.other, DUPLICATE, one.kept)
        if run.info.status == "RUNNING":
            client.set_terminated(one.other, "KILLED")
        if kept.data.tags.get(DUPLICATE):
            client.set_tag(one.kept, DUPLICATE, "")
        logger.warning("%s", one.describe())


def drop_duplicates(
    client: MlflowClient, runs: Sequence[Run], names: Sequence[str] = REPEAT_KEYS
) -> tuple[list[Run], list[Duplicate]]:
    """Keep one run of each trial, so that no sum over runs counts a trial twice.

    Args:
        client: MLflow client.
        runs: Runs of a campaign's trials, oldest first.
        names: Tags that identify a trial.

    Returns:
        The runs that count, in the given order, and those that do not.
    """
    groups: dict[tuple[str | None, ...], list[Run]] = {}
    for run in runs:
        key = tuple(run.data.tags.get(name) for name in names)
        # A run without such a tag is refused later, by name.
        groups.setdefault((run.info.run_id,) if None in key else key, []).append(run)
    kept: set[str] = set()
    duplicates: list[Duplicate] = []
    for same in groups.values():
        chosen = choose_run(client, same)
        kept.add(chosen.info.run_id)
        duplicates += list_duplicates(chosen, same)
    return [run for run in runs if run.info.run_id in kept], duplicates
