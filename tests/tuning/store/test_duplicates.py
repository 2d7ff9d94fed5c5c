"""Which of several runs of one trial counts."""

from types import SimpleNamespace
from typing import Any

from tuning.store.duplicates import DUPLICATE, choose_run, drop_duplicates, mark_duplicates

TRIAL = {"study": "unet", "fold": "blocks", "seed": "42", "stage": "repeat"}


class Client:
    """MLflow with some runs in memory."""

    def __init__(self, *runs: Any) -> None:
        self.runs = {run.info.run_id: run for run in runs}

    def get_run(self, run_id: str) -> Any:
        return self.runs[run_id]

    def get_metric_history(self, run_id: str, _: str) -> list[Any]:
        return [SimpleNamespace(step=step) for step in range(self.runs[run_id].epochs)]

    def set_tag(self, run_id: str, name: str, value: str) -> None:
        self.runs[run_id].data.tags[name] = value

    def set_terminated(self, run_id: str, status: str) -> None:
        self.runs[run_id].info.status = status


def run(run_id: str, epochs: int, status: str = "FINISHED", **tags: str) -> Any:
    info = SimpleNamespace(run_id=run_id, status=status, run_name=f"run {run_id}")
    data = SimpleNamespace(tags={**TRIAL, **tags}, metrics={})
    return SimpleNamespace(info=info, data=data, epochs=epochs)


def choose(*runs: Any) -> str:
    client: Any = Client(*runs)
    return str(choose_run(client, runs).info.run_id)


def test_run_with_the_longest_history_counts() -> None:
    assert choose(run("a", 0, "RUNNING"), run("b", 8), run("c", 3)) == "b"
    assert choose(run("a", 8), run("b", 9, "RUNNING")) == "b"


def test_of_equals_the_finished_one_counts_then_that_with_a_model_then_the_oldest() -> None:
    assert choose(run("a", 8, "RUNNING"), run("b", 8)) == "b"
    assert choose(run("a", 8), run("b", 8, model_uri="models:/m-1")) == "b"
    assert choose(run("a", 8), run("b", 8)) == "a"


def test_each_trial_is_kept_once_and_in_order() -> None:
    runs = [run("a", 1), run("b", 8), run("c", 8, seed="7"), run("d", 8, fold="other")]
    client: Any = Client(*runs)
    kept, duplicates = drop_duplicates(client, runs)
    assert [one.info.run_id for one in kept] == ["b", "c", "d"]
    assert [(one.kept, one.other) for one in duplicates] == [("b", "a")]


def test_runs_without_the_tags_of_a_trial_are_never_taken_for_one() -> None:
    runs = [run("a", 1), run("b", 8)]
    for one in runs:
        del one.data.tags["seed"]
    client: Any = Client(*runs)
    assert drop_duplicates(client, runs) == (runs, [])


def test_mark_closes_an_open_run_and_leaves_the_one_that_counts() -> None:
    kept, other = run("a", 8, **{DUPLICATE: "b"}), run("b", 1, "RUNNING")
    client: Any = Client(kept, other)
    mark_duplicates(client, drop_duplicates(client, [kept, other])[1])
    assert (other.data.tags[DUPLICATE], other.info.status) == ("a", "KILLED")
    assert kept.data.tags[DUPLICATE] == ""
