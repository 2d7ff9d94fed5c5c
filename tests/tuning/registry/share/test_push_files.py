"""A push sends only a model whose files are those that were logged, and of names that a pull takes."""

from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from tests.support.model_hub import ModelHub
from tests.support.share_fixtures import ADDRESS, NAME, REPO, Call, stored_folder
from tuning.tracking.model_digest import ADDED, DIGEST, PROGRAM, digest_folder

pytest_plugins = ["tests.support.share_fixtures"]


def change(client: MlflowClient, edit: str) -> None:
    """Change the first version's folder, and state the digest of what is there now."""
    folder = stored_folder(client, 1)
    if edit == "add":
        (folder / "notes.txt").write_text("mine")
    else:
        (folder / "requirements.txt").unlink()
    source = client.get_model_version(NAME, "1").source.removeprefix("models:/")
    client.set_logged_model_tags(source, {DIGEST: digest_folder(folder)})


def test_changed_files_are_not_published(
    call: Call, client: MlflowClient, hub: ModelHub, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored_folder(client, 1) / PROGRAM
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    assert call("push", "unet", "--to", ADDRESS) == 1
    assert "Somebody changed them" in capsys.readouterr().err
    assert hub.repos == {}


@pytest.mark.parametrize(
    ("edit", "got"), [("add", "also notes.txt"), ("remove", "no requirements.txt")]
)
def test_folder_that_a_pull_would_refuse_is_not_published(
    call: Call,
    client: MlflowClient,
    hub: ModelHub,
    edit: str,
    got: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(client, edit)
    assert call("push", "unet", "--to", ADDRESS) == 1
    error = capsys.readouterr().err
    assert "must have the files that this release logs, but models:/hokkaido-unet/1 has" in error
    assert got in error
    assert hub.repos == {}


def test_model_that_mlflow_has_loaded_in_its_place_is_published_without_mlflow_s_note(
    call: Call, client: MlflowClient, hub: ModelHub
) -> None:
    mlflow.set_tracking_uri(client.tracking_uri)
    mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    assert (stored_folder(client, 1) / ADDED).is_file()
    assert call("push", "unet", "--to", ADDRESS) == 0
    assert ADDED not in hub.repos[REPO].files


@pytest.mark.parametrize("words", [["export", "unet", "--to", "x.onnx"], ["push", "unet"]])
def test_model_of_an_earlier_release_is_named(
    call: Call,
    client: MlflowClient,
    hub: ModelHub,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = stored_folder(client, 1)
    (folder / PROGRAM).rename(folder / "artifacts" / "program.pt2")
    source = client.get_model_version(NAME, "1").source.removeprefix("models:/")
    client.set_logged_model_tags(source, {DIGEST: digest_folder(folder)})
    assert call(*words, *(["--to", ADDRESS] if words[0] == "push" else [])) == 1
    assert "was logged by an earlier release, with artifacts/program.pt2" in capsys.readouterr().err
    assert hub.repos == {}
    assert not Path("x.onnx").exists()


def test_compiled_code_in_the_store_is_not_published(
    call: Call, client: MlflowClient, hub: ModelHub
) -> None:
    cache = stored_folder(client, 1) / "__pycache__"
    cache.mkdir()
    (cache / "served_model.cpython-311.pyc").write_bytes(b"x")
    assert call("push", "unet", "--to", ADDRESS) == 0
    assert not [name for name in hub.repos[REPO].files if "__pycache__" in name]


def test_store_of_large_files_that_does_not_answer_is_one_sentence(
    call: Call,
    hub: ModelHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    assert call("push", "unet", "--to", ADDRESS) == 1
    error = capsys.readouterr().err
    assert f"{hub.endpoint} must take the files of {REPO}, but its client said: " in error
    assert "or set HF_HUB_DISABLE_XET=1" in error
    assert hub.repos[REPO].titles == ["initial commit"]
