"""Creates through a gateway that loses answers, before a real MLflow server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.proxy import FAULTS, Gateway, fail_creates, open_gateway
from tests.support.servers import serve_mlflow
from tuning.store import creates, once
from tuning.tracking.campaign_runs import CampaignRuns
from tuning.tracking.payloads import CampaignContext

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("server")
    store = f"sqlite:///{folder / 'server.db'}"
    with (
        serve_mlflow(store, folder / "kept", folder / "log") as server,
        open_gateway(server, fail_creates("lost")) as opened,
    ):
        yield opened


@pytest.fixture
def fail(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Gateway]:
    """Let the first answer to each kind of create fail in a way."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", gateway.address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.setattr(once, "LOOKUPS_S", (0.0, 0.5, 1.0))

    def begin(kind: str) -> Gateway:
        gateway.requests.clear()
        gateway.faults.clear()
        gateway.choose = fail_creates(kind)
        return gateway

    return begin


@pytest.mark.parametrize("kind", FAULTS)
def test_each_create_is_done_once_whatever_happens_to_its_answer(
    fail: Callable[[str], Gateway], tmp_path: Path, kind: str
) -> None:
    opened, name = fail(kind), f"campaign-{kind}"
    context = CampaignContext(name, "smoke", "blocks", "s", "d", "synthetic", "s1", "2", "c")
    runs = CampaignRuns(tmp_path, context)
    client, experiment_id = runs.client, runs.experiment_id
    campaign = runs.open_run("campaign", "campaign", name)
    trial = runs.open_run("trial", "one", "one", campaign, {"seed": "1"}, {"lr": 0.1})
    model = creates.create_logged_model(client, experiment_id, "net", trial, {"a": "b"}, {})
    client.finalize_logged_model(model.model_id, "READY")
    registered, uri = f"net-{kind}", f"models:/{model.model_id}"
    creates.create_registered_model(client, registered, {}, "A network.")
    creates.create_version(client, registered, uri, trial, {"run_id": trial})
    found = CampaignRuns(tmp_path, context)._find()
    assert sorted(run.info.run_id for run in found) == sorted((campaign, trial))
    models = client.search_logged_models([experiment_id], f"source_run_id = '{trial}'")
    assert [one.model_id for one in models] == [model.model_id]
    assert len(client.search_model_versions(f"name = '{registered}'")) == 1
    assert client.get_run(trial).data.params == {"lr": "0.1"}
    assert opened.faults[kind] >= 4  # the tracker's answers did get lost
