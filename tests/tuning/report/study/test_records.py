"""Values per epoch and samples of baselines, read from a tracker that is not trusted."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuning.report.study.records import SEARCH_ARTIFACT, VAL_AP, History, read_curve, read_samples


class FakeClient:
    """Answers like a tracker that has one run."""

    tracking_uri = "sqlite:///none.db"

    def __init__(self, folder: Path, curve: tuple[tuple[int, int, float], ...] = ()) -> None:
        self.folder, self.curve = folder, curve

    def get_metric_history(self, run_id: str, name: str) -> list[Any]:
        return [
            SimpleNamespace(step=step, timestamp=time, value=value)
            for step, time, value in self.curve
        ]

    def list_artifacts(self, run_id: str, path: str) -> list[Any]:
        files = (self.folder / path).glob("*") if (self.folder / path).is_dir() else ()
        return [SimpleNamespace(path=f"{path}/{file.name}") for file in files]


def make_run(folder: Path) -> Any:
    return SimpleNamespace(info=SimpleNamespace(run_id="r1", artifact_uri=str(folder)))


def write_search(folder: Path, content: object) -> None:
    file = folder / SEARCH_ARTIFACT
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))


def test_a_curve_has_one_value_per_epoch_the_last_one_logged(tmp_path: Path) -> None:
    client: Any = FakeClient(tmp_path, ((2, 5, 0.4), (1, 1, 0.1), (2, 9, 0.5), (3, 10, 0.3)))
    assert read_curve(client, make_run(tmp_path), VAL_AP) == (0.1, 0.5, 0.3)


def test_the_kept_epoch_is_the_first_of_the_highest_average_precision() -> None:
    assert History(42, {VAL_AP: (0.1, 0.5, 0.5)}).best_epoch == 2
    assert History(42, {}).best_epoch == 0


def test_samples_are_those_of_the_search(tmp_path: Path) -> None:
    write_search(tmp_path, {"tried": [{"params": {"window": 3}, "val_pr_auc": 0.25}]})
    client: Any = FakeClient(tmp_path)
    (sample,) = read_samples(client, make_run(tmp_path))
    assert (sample.params, sample.val_pr_auc) == ({"window": 3}, 0.25)


def test_a_run_of_an_earlier_version_has_no_samples(tmp_path: Path) -> None:
    client: Any = FakeClient(tmp_path)
    assert read_samples(client, make_run(tmp_path)) == []


@pytest.mark.parametrize(
    "tried",
    [
        None,
        "all",
        [{"params": {"window": 3}}],
        [{"params": [3], "val_pr_auc": 0.5}],
        [{"params": {}, "val_pr_auc": 7}],
    ],
)
def test_a_forged_list_of_samples_is_refused(tmp_path: Path, tried: object) -> None:
    write_search(tmp_path, {"tried": tried})
    client: Any = FakeClient(tmp_path)
    rule = r"search\.json must list samples with their params and val_pr_auc, but got .* in run r1"
    with pytest.raises(ValueError, match=rule):
        read_samples(client, make_run(tmp_path))
