"""A push with the real client: what arrives on the hub byte for byte, and what is refused."""

from typing import Any

import pytest
import yaml
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
from tuning.tracking.model_digest import DIGEST, digest_folder

pytest_plugins = ["tests.support.share_fixtures"]
CARD = "README.md"


def metadata_of(card: bytes) -> dict[str, Any]:
    return yaml.safe_load(card.decode().split("---\n")[1])


def test_whole_folder_arrives_with_a_card_in_one_commit(
    call: Call, client: MlflowClient, hub: ModelHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("push", "unet", "--to", ADDRESS) == 0
    repo, folder = hub.repos[REPO], stored_folder(client, 1)
    assert repo.titles == ["initial commit", f"Publish {NAME} version 1"]
    arrived = {name: content for name, content in repo.files.items() if name not in ATTRIBUTES}
    card = arrived.pop(CARD)
    assert arrived == read_folder(folder)
    assert metadata_of(card)[DIGEST] == digest_folder(folder)
    assert not repo.private
    assert not hub.leaked
    output = capsys.readouterr().out
    assert f"{NAME} version 1 is published: {hub.endpoint}/{REPO} at {repo.head}" in output
    assert f"registry pull hf:{REPO}@{repo.head[:12]}" in output


def test_second_push_of_the_same_version_commits_nothing(
    call: Call, hub: ModelHub, published: Repository
) -> None:
    assert call("push", "unet", "--to", ADDRESS) == 0
    assert published.titles == ["Publish"]


def test_card_has_what_the_hub_shows(sent: dict[str, bytes]) -> None:
    data, text = metadata_of(sent[CARD]), sent[CARD].decode()
    assert (data["license"], data["library_name"]) == ("cc-by-4.0", "onnx")
    assert data["pipeline_tag"] == "image-segmentation"
    assert {"landslides", "sentinel-1", "sar", "time-series", "synthetic-data"} <= set(data["tags"])
    assert "datasets" not in data  # it learnt from no tile of them
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"]["name"].startswith("SYNTHETIC: ")
    scores = {one["type"]: one["value"] for one in result["metrics"]}
    assert scores == {"average_precision": 0.5125, "f1": 0.4375, "iou": 0.28}
    own = data["landslide_benchmark"]
    assert (own["registered_model"], own["version"]) == (NAME, 1)
    assert own["gate"].startswith("passed")
    assert own["tags"]["campaign"] == "first"
    for words in (
        "> **SYNTHETIC.**",
        "## Scores on test",
        "onnxruntime.InferenceSession",
        "mlflow.pyfunc.load_model",
        "load_torch(",
        "## Licence",
        data[DIGEST],
        f"| run | {own['run_id']} |",
    ):
        assert words in text
    assert "UNTRUSTED" not in text


@pytest.mark.parametrize(
    ("version", "reason"),
    [("2", "did not pass its gate (failed: flips, placebo)"), ("3", "has no gate result")],
)
def test_version_without_a_passed_gate_is_published_only_on_demand_and_marked(
    call: Call, hub: ModelHub, version: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("push", "unet", version, "--to", ADDRESS) == 1
    error = capsys.readouterr().err
    assert "A published model must have passed its gate." in error
    assert reason in error
    assert hub.requests == []
    assert call("push", "unet", version, "--to", ADDRESS, "--untrusted") == 0
    assert f"UNTRUSTED: {NAME} version {version} {reason}" in capsys.readouterr().out
    card = hub.repos[REPO].files[CARD]
    assert "> **UNTRUSTED.**" in card.decode()
    assert reason in card.decode()
    assert "untrusted" in metadata_of(card)["tags"]


def test_another_version_replaces_the_former_and_leaves_the_owners_files(
    call: Call, client: MlflowClient, hub: ModelHub, published: Repository
) -> None:
    published.commit(published.files | {"photo.png": b"a slope"}, "Add a photo")
    folder = stored_folder(client, 1)
    (folder / "conda.yaml").unlink()
    source = client.get_model_version(NAME, "1").source.removeprefix("models:/")
    client.set_logged_model_tags(source, {DIGEST: digest_folder(folder)})
    assert call("push", "unet", "--to", ADDRESS) == 0
    assert published.files["photo.png"] == b"a slope"
    assert "conda.yaml" not in published.files
    arrived = {name: content for name, content in published.files.items() if name != "photo.png"}
    assert arrived.keys() - {CARD, *ATTRIBUTES} == read_folder(folder).keys()


@pytest.mark.parametrize("card", [b"# My thesis\n", b"---\nlicense: mit\n---\nMy thesis\n"])
def test_somebodys_card_is_not_overwritten(
    call: Call, hub: ModelHub, card: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = hub.repos[REPO] = Repository()
    repo.commit({CARD: card}, "Mine")
    assert call("push", "unet", "--to", ADDRESS) == 1
    assert f"but {REPO} has a {CARD} that no push wrote" in capsys.readouterr().err
    assert repo.titles == ["Mine"]


def test_private_makes_a_private_repository_and_refuses_a_public_one(
    call: Call, hub: ModelHub, published: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("push", "unet", "--to", "hf:anna/secret", "--private") == 0
    assert hub.repos["anna/secret"].private
    assert call("push", "unet", "--to", ADDRESS, "--private") == 1
    assert f"but {REPO} exists and is public" in capsys.readouterr().err
    assert published.titles == ["Publish"]


def test_commit_of_somebody_else_meanwhile_is_not_overwritten(
    call: Call, hub: ModelHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.before_commit = lambda: hub.repos[REPO].commit(dict(ATTRIBUTES), "Theirs")
    assert call("push", "unet", "--to", ADDRESS) == 1
    assert "must not change during a push, but somebody else committed" in capsys.readouterr().err
    assert hub.repos[REPO].titles == ["initial commit", "Theirs"]


def test_push_without_a_token_sends_nothing(
    call: Call,
    hub: ModelHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert call("push", "unet", "--to", ADDRESS) == 1
    error = capsys.readouterr().err
    assert "A push needs a token that may write to the repositories of anna, but got none" in error
    assert "`hf auth login`, or set HF_TOKEN" in error
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "address", "status"),
    [("hf_wrong", ADDRESS, 401), ("hf_write", "hf:berta/landslides", 403)],
)
def test_account_without_the_right_to_write_is_told_what_to_do(
    call: Call,
    hub: ModelHub,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    address: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert call("push", "unet", "--to", address) == 1
    error = capsys.readouterr().err
    assert f"must let you write to {address[3:]}, but got HTTP {status} with a token" in error
    assert "set HF_TOKEN to a token that may write" in error
    assert token not in error
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("preupload", 403, "must let you write to anna/landslides, but got HTTP 403"),
        ("/commit/", 404, "must let you write to anna/landslides, but got HTTP 404"),
        ("/commit/", 500, "must answer, but got HTTP 500 for "),
    ],
)
def test_hub_that_refuses_midway_holds_no_half_model(
    call: Call,
    hub: ModelHub,
    path: str,
    status: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.fail = (path, status)
    assert call("push", "unet", "--to", ADDRESS) == 1
    assert message in capsys.readouterr().err
    assert hub.repos[REPO].titles == ["initial commit"]


def test_dead_connection_and_login_page_are_one_sentence(
    call: Call,
    hub: ModelHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.portal = True
    assert call("push", "unet", "--to", ADDRESS) == 1
    assert "A hub must answer in its JSON, but got something else" in capsys.readouterr().err
    point_to("http://127.0.0.1:1", monkeypatch)
    assert call("push", "unet", "--to", ADDRESS) == 1
    error = capsys.readouterr().err
    assert "A push must reach http://127.0.0.1:1, but got no connection" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "address", ["anna/landslides", "hf:landslides", "hf:a/b/c", "hf:a/..", "hf:anna/x@main", "hf:"]
)
def test_wrong_addresses_are_refused(
    call: Call, hub: ModelHub, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("push", "unet", "--to", address) == 1
    error = capsys.readouterr().err
    assert "must be written hf:USER/REPO" in error or "must go to the main branch" in error
    assert hub.requests == []
