"""A pull that is interrupted, repeated at once, or promoted where its campaign's gate tiles are."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.model_hub import Repository
from tests.support.served_fixtures import S1
from tests.support.share_fixtures import ADDRESS, NAME, Call
from tuning.registry.aliases import list_model_versions
from tuning.registry.gate_file import write_gate_tiles
from tuning.registry.model_card import GATE_TAG
from tuning.registry.share.pull import pull
from tuning.tracking.client import connect, find_runs

pytest_plugins = ["tests.support.share_fixtures"]


def test_gate_of_a_pulled_version_runs_where_its_campaigns_tiles_are(
    call: Call,
    published: Repository,
    pack: Pack,
    split: Split,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client, experiment = connect(tmp_path)
    assert call("pull", ADDRESS, at=tmp_path) == 0
    tags = {"kind": "campaign", "campaign": "first"}
    run = client.create_run(experiment, tags=tags).info.run_id
    assert call("promote", "unet", "1", at=tmp_path) == 1
    assert "A gate needs gate.npz in its campaign's run" in capsys.readouterr().err
    bands = {name: np.array(values) for name, values in pack.bands.items()}
    for file in write_gate_tiles(replace(pack, bands=bands), split.val, S1, 4, "even", tmp_path):
        client.log_artifact(run, str(file))
    assert call("promote", "unet", "1", at=tmp_path) == 1  # its weights are random
    assert f"must have passed its gate, but {NAME} version 1 has 'failed: " in (
        capsys.readouterr().err
    )
    version = client.get_model_version(NAME, "1")
    assert version.tags[GATE_TAG].startswith("failed: ")
    assert "Claims of its publisher" in version.description
    assert "Not run here" not in version.description
    assert "- **failed**: " in version.description.partition("## Gate\n")[2]
    assert client.get_registered_model(NAME).aliases == {}


@pytest.mark.parametrize("step", ["create_logged_model", "log_output", "create_version"])
def test_an_interrupted_pull_is_finished_by_the_next(
    call: Call,
    published: Repository,
    tmp_path: Path,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"tuning.registry.share.register_pulled.{step}", stop)
        assert call("pull", ADDRESS, at=tmp_path) == 130
    client, experiment = connect(tmp_path)
    assert list_model_versions(client, NAME) == []
    assert call("pull", ADDRESS, at=tmp_path) == 0
    assert len(list_model_versions(client, NAME)) == 1
    assert len(find_runs(client, experiment, kind="pull")) == 1


def test_two_pulls_at_once_make_one_version(published: Repository, tmp_path: Path) -> None:
    connect(tmp_path)

    def run() -> str:
        client, experiment = connect(tmp_path)
        return pull(client, experiment, ADDRESS)

    with ThreadPoolExecutor(2) as pool:
        texts = sorted(future.result() for future in [pool.submit(run) for _ in range(2)])
    assert "already; nothing was changed" in texts[0]
    assert "is registered" in texts[1]
    assert len(list_model_versions(connect(tmp_path)[0], NAME)) == 1
