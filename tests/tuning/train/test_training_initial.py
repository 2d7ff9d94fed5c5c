"""A training that starts from given weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data.pack import Pack
from tests.support.training import train_rows
from tuning.train.checkpoints import load_checkpoint, make_model
from tuning.trial.folder import Config
from tuning.trial.initial import find_initial, store_initial


@pytest.fixture
def placed(pack: Pack, tmp_path: Path) -> Pack:
    """The pack in a folder of its own, beside which weights may be stored."""
    return replace(pack, path=tmp_path / "packs" / pack.path.name)


def test_a_training_starts_from_the_weights_whatever_its_seed(
    placed: Pack, config: Config, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    weights = make_model(config).state_dict()
    digest = store_initial(weights, config, placed.path.parent)
    config |= {"init": digest, "lr": 0.0, "epochs": 1}  # nothing is learnt
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        train_rows({**config, "seed": seed}, placed, folder)
        found = load_checkpoint(folder / "best.pt")
        assert found.config["init"] == digest
        for name, value in found.model.named_parameters():
            assert torch.equal(value, weights[name])


def test_the_same_config_gives_the_same_training(
    placed: Pack, config: Config, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    weights = make_model(config).state_dict()
    digest = store_initial(weights, config, placed.path.parent)
    other = config | {"epochs": 1}
    config = other | {"init": digest}
    rows = train_rows(config, placed, tmp_path / "first")
    assert train_rows(config, placed, tmp_path / "second") == rows
    assert train_rows(other, placed, tmp_path / "random") != rows


def test_a_training_without_its_weights_is_refused(
    placed: Pack, config: Config, tmp_path: Path
) -> None:
    digest = store_initial(make_model(config).state_dict(), config, placed.path.parent)
    find_initial(placed.path.parent, digest).unlink()
    with pytest.raises(FileNotFoundError, match=f"needs init-{digest}.safetensors beside its pack"):
        train_rows(config | {"init": digest}, placed, tmp_path / "trial")
