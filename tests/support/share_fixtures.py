"""A registry with a tiny registered network, and a hub of models on loopback, for tests of export, push and pull.

PYTEST_DONT_REWRITE: nothing is asserted here, and the tests import it before pytest loads its fixtures.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.support.model_hub import TOKEN, ModelHub, Repository
from tests.support.served_fixtures import write_checkpoint
from tuning.registry.__main__ import main
from tuning.registry.model_card import CARD_TAGS, GATE_TAG, PASSED
from tuning.registry.register import register_version
from tuning.registry.share.hub import CARD
from tuning.tracking.client import connect
from tuning.tracking.log_model import log_model
from tuning.tracking.model_digest import digest_folder

NAME = "hokkaido-unet"
REPO = "anna/landslides"
ADDRESS = f"hf:{REPO}"
FACTS = {
    "data": "synthetic",
    "data_hash": "d" * 12,
    "split": "blocks",
    "split_hash": "5" * 12,
    "campaign": "first",
    "preset": "smoke",
    "regions": "hokkaido",
    "seed": "42",
    "git_commit": "c" * 40,
    "acquisitions": "4 even",
}
SCORES = {"pr_auc": "0.5125", "f1_dice": "0.4375", "iou": "0.28", "precision": "0.6"}
GATES = {1: PASSED, 2: "failed: flips, placebo", 3: None}  # by version

Call = Callable[..., int]


def register(root: Path, number: int, gate: str | None, **facts: str) -> None:
    """Log and register a network as a report does, with a gate's result."""
    client, experiment = connect(root)
    run = client.create_run(experiment).info.run_id
    trial = write_checkpoint(root / f"trial {number}")
    known = FACTS | facts
    uri = log_model(client, experiment, run, trial, known, {})
    tags = dict.fromkeys(CARD_TAGS, "0.3") | {"seeds": "42", "model": "VanillaUNet"}
    tags |= known | SCORES | {"channels": "s1", "run_id": run}
    version = register_version(client, "unet", uri, run, tags)
    if gate:
        client.set_model_version_tag(NAME, str(version), GATE_TAG, gate)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose versions passed their gate, failed it, and never ran it."""
    root = tmp_path_factory.mktemp("published") / "mlruns"
    for number, gate in GATES.items():
        register(root, number, gate)
    connect(root)[0].set_registered_model_alias(NAME, "champion", "1")
    return root


@pytest.fixture
def root(filled: Path, tmp_path: Path) -> Path:
    """A copy of the registry, which a test may change."""
    shutil.copytree(filled, tmp_path / "mlruns")
    return tmp_path / "mlruns"


@pytest.fixture
def client(root: Path) -> MlflowClient:
    """Its client."""
    return connect(root)[0]


@pytest.fixture
def call(root: Path) -> Call:
    """Run a command on the registry, or on another one."""

    def run(*words: str, at: Path = root) -> int:
        return main([*words, "--root", str(at)])

    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub to which the client is logged in; its large files go over plain HTTP."""
    hub = ModelHub()
    point_to(hub.endpoint, monkeypatch)
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def sent(filled: Path) -> dict[str, bytes]:
    """What a push of the first version sends: its repository's files."""
    hub = ModelHub()
    with pytest.MonkeyPatch.context() as patch:
        point_to(hub.endpoint, patch)
        if main(["push", "unet", "--to", ADDRESS, "--root", str(filled)]):
            raise RuntimeError("The push failed.")
    hub.stop()
    return hub.repos[REPO].files


@pytest.fixture
def published(hub: ModelHub, sent: dict[str, bytes]) -> Repository:
    """The repository of the first version on the hub."""
    repo = hub.repos[REPO] = Repository()
    repo.commit(dict(sent), "Publish")
    return repo


def forge(repo: Repository, **changes: bytes) -> None:
    """Change files of a repository as its owner may, with the card's digest to match; ``__`` stands for ``/``."""
    own = {name.replace("__", "/"): content for name, content in changes.items()}
    files = repo.files | own
    with tempfile.TemporaryDirectory() as temporary:
        for name in files.keys() - {CARD, ".gitattributes"}:
            file = Path(temporary) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(files[name])
        digest = digest_folder(Path(temporary)).encode()
    card = re.sub(rb"(?m)^model_sha256: \w+$", b"model_sha256: " + digest, files[CARD])
    repo.commit(files | {CARD: card}, "Forge")


def point_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client use a hub; ``HF_ENDPOINT`` is read when it is imported."""
    constants = "huggingface_hub.constants"
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(f"{constants}.HF_TOKEN_PATH", "/no/token")
    monkeypatch.setattr(f"{constants}.HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(f"{constants}.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("data.fetch.stream.RETRY_WAITS_S", (0, 0, 0))
    monkeypatch.setattr(f"{constants}.ENDPOINT", endpoint)
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)


def stored_folder(client: MlflowClient, version: int, name: str = NAME) -> Path:
    """Return the folder of a version in the artifact store."""
    source = client.get_model_version(name, str(version)).source.removeprefix("models:/")
    return Path(client.get_logged_model(source).artifact_location.removeprefix("file://"))


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of every file by its path."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
