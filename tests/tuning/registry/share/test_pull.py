"""A pull from a hub on loopback: what is registered here, once, without trust."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.support.model_hub import ATTRIBUTES, ModelHub, Repository
from tests.support.share_fixtures import (
    ADDRESS,
    NAME,
    REPO,
    Call,
    point_to,
    read_folder,
    stored_folder,
)
from tuning.predict.__main__ import main as predict
from tuning.registry.aliases import list_model_versions
from tuning.registry.model_card import GATE_TAG
from tuning.tracking.client import connect, find_runs
from tuning.tracking.model_digest import DIGEST, fetch_registered, load_registered, load_torch

pytest_plugins = ["tests.support.share_fixtures"]
CARD = "README.md"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An output folder that does not exist yet."""
    return tmp_path / "here"


@pytest.fixture
def pulled(call: Call, published: Repository, here: Path) -> MlflowClient:
    """The client of a registry that began with a pull."""
    assert call("pull", ADDRESS, at=here) == 0
    return connect(here)[0]


def test_pulled_files_are_the_published_ones(
    pulled: MlflowClient, client: MlflowClient, published: Repository, hub: ModelHub
) -> None:
    files = read_folder(stored_folder(pulled, 1))
    assert files == {
        name: content
        for name, content in published.files.items()
        if name not in (CARD, *ATTRIBUTES)
    }
    version = pulled.get_model_version(NAME, "1")
    origin = client.get_logged_model(client.get_model_version(NAME, "1").source[len("models:/") :])
    assert version.tags[DIGEST] == origin.tags[DIGEST]
    assert not hub.leaked


def test_a_pulled_version_loads_in_every_way(pulled: MlflowClient) -> None:
    uri = f"models:/{NAME}/1"
    x = np.random.default_rng(0).normal(-12, 2, (1, 4, 4, 16, 16)).astype(np.float32)
    probs = load_registered(pulled, uri)(x)
    assert probs.std() > 0
    module = load_torch(uri, pulled)
    series = np.full((1, 15, 4, 16, 16), -12, np.float32)
    model = mlflow.pyfunc.load_model(uri)
    assert model.predict(series).shape == (1, 16, 16)
    assert module.timesteps == 4
    with fetch_registered(pulled, uri):
        pass  # the digest holds, also after its code file ran


def test_claims_of_the_publisher_are_kept_apart_from_what_is_known_here(
    pulled: MlflowClient, published: Repository
) -> None:
    version = pulled.get_model_version(NAME, "1")
    tags = version.tags
    assert tags["pulled_from"] == f"hf:{REPO}@{published.head}"
    assert tags["served_code"] == "this project's"
    assert tags["claimed_pr_auc"] == "0.5125"
    assert tags["claimed_gate"].startswith("passed")
    assert {"data", "data_hash", "split", "campaign", "regions", "licence"} <= tags.keys()
    assert not {GATE_TAG, "pr_auc", "val_pr_auc", "pr_auc_mean", "iou", "considered"} & tags.keys()
    assert pulled.get_registered_model(NAME).aliases == {}
    for words in ("Claims of its publisher, not measured here", "| pr_auc | 0.5125 |", "Not run"):
        assert words in version.description


def test_a_revision_is_pulled_once(
    call: Call, pulled: MlflowClient, published: Repository, here: Path, hub: ModelHub
) -> None:
    before = len(hub.paths("/resolve/"))
    for address in (ADDRESS, f"{ADDRESS}@main", f"{ADDRESS}@{published.head[:10]}"):
        assert call("pull", address, at=here) == 0
    assert len(list_model_versions(pulled, NAME)) == 1
    assert len(hub.paths("/resolve/")) == before  # nothing was downloaded
    (run,) = find_runs(pulled, connect(here)[1], kind="pull")
    assert run.info.status == "FINISHED"


def test_an_earlier_revision_can_be_pulled(
    call: Call, published: Repository, here: Path, sent: dict[str, bytes]
) -> None:
    first = published.head
    published.commit({CARD: b"emptied"}, "Empty")
    assert call("pull", f"{ADDRESS}@{first}", at=here) == 0
    version = connect(here)[0].get_model_version(NAME, "1")
    assert version.tags["pulled_from"] == f"hf:{REPO}@{first}"


def test_pulled_version_joins_the_versions_of_a_name(
    call: Call, client: MlflowClient, published: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("pull", ADDRESS) == 0  # into the registry that has versions 1 to 3
    assert f"{NAME} version 4 is registered: {ADDRESS}@{published.head}" in capsys.readouterr().out
    assert call("pull", ADDRESS, "--as", "anna-unet") == 0
    assert list_model_versions(client, "anna-unet")[0].tags["regions"] == "hokkaido"
    assert int(client.get_registered_model(NAME).aliases["champion"]) == 1
    assert call("list") == 0
    assert "anna-unet" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["unet", "Anna-unet", "anna-", "../x-y", "a" * 200 + "-unet"])
def test_name_must_be_like_the_others(
    call: Call, hub: ModelHub, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("pull", ADDRESS, "--as", name) == 1
    assert "A registered model's name must be a region or group, '-' and" in capsys.readouterr().err
    assert hub.requests == []


def test_another_projects_model_gets_no_version(
    call: Call, client: MlflowClient, published: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    client.create_registered_model("shop-forecast")
    assert call("pull", ADDRESS, "--as", "shop-forecast") == 1
    assert "the registered model shop-forecast is not this project's" in capsys.readouterr().err
    assert list_model_versions(client, "shop-forecast") == []


def test_files_that_are_no_models_are_left_on_the_hub(
    call: Call, published: Repository, here: Path, hub: ModelHub
) -> None:
    published.commit(published.files | {"photo.png": b"x", "../../etc/passwd": b"x"}, "More")
    assert call("pull", ADDRESS, at=here) == 0
    assert hub.paths("photo") == hub.paths("passwd") == []


def test_promotion_says_what_a_pulled_version_lacks(
    call: Call,
    pulled: MlflowClient,
    here: Path,
    published: Repository,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("promote", "unet", "1", at=here) == 1
    error = capsys.readouterr().err
    assert f"was pulled from hf:{REPO}@{published.head}, and the tiles of its campaign" in error
    assert "'first' are not in this MLflow. Run that campaign here, or map with" in error
    assert pulled.get_registered_model(NAME).aliases == {}


def test_pulled_version_makes_only_marked_maps(
    pulled: MlflowClient,
    here: Path,
    quad: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--model", f"models:/{NAME}/1", "--input", str(quad), "--root", str(here)]
    words += ["--out", str(tmp_path / "map")]
    assert predict(words) == 1
    assert f"{NAME} version 1 was pulled from hf:{REPO}@" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()
    assert predict([*words, "--untrusted", "--ensemble"]) == 1
    assert "is not of a campaign in this MLflow. Drop --ensemble." in capsys.readouterr().err
    assert predict([*words, "--untrusted"]) == 0
    summary = (tmp_path / "map" / "summary.json").read_text()
    assert f"UNTRUSTED: {NAME} version 1 was pulled from hf:{REPO}@" in summary


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf:anna/gone", "must show you the model anna/gone, but got HTTP 401 with a token"),
        (f"{ADDRESS}@v9", f"{REPO} must have the requested revision and files, but got HTTP 404"),
        ("anna/landslides", "A repository must be written hf:USER/REPO or hf:USER/REPO@REVISION"),
    ],
)
def test_unknown_repositories_and_revisions_are_refused(
    call: Call,
    published: Repository,
    address: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("pull", address) == 1
    assert message in capsys.readouterr().err


def test_private_repository_asks_for_a_login(
    call: Call,
    published: Repository,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    published.private = True
    monkeypatch.delenv("HF_TOKEN")
    assert call("pull", ADDRESS, at=here) == 1
    error = capsys.readouterr().err
    assert f"must show you the model {REPO}, but got HTTP 401 without a token" in error
    assert "log in by `hf auth login` or set HF_TOKEN" in error


def test_dead_connection_and_login_page_register_nothing(
    call: Call,
    hub: ModelHub,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.portal = True
    assert call("pull", ADDRESS, at=here) == 1
    assert "A hub must answer in its JSON, but got something else" in capsys.readouterr().err
    point_to("http://127.0.0.1:1", monkeypatch)
    assert call("pull", ADDRESS, at=here) == 1
    assert "A pull must reach http://127.0.0.1:1, but got no connection" in capsys.readouterr().err
    assert connect(here)[0].search_registered_models() == []
