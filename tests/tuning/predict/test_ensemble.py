"""What the train tiles were like travels from training through the logged model to the map."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from mlflow.models import Model

from data.pack import Pack
from data.splits import Split
from tests.support.served_fixtures import write_checkpoint
from tuning.predict.ensemble import load_members
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint
from tuning.train.training_data import TrainingData
from tuning.trial.folder import Config


def test_a_training_profile_reaches_the_map(
    pack: Pack, split: Split, config: Config, tmp_path: Path
) -> None:
    profile = TrainingData.make(config, pack, split, torch.device("cpu")).profile
    best = write_checkpoint(tmp_path).best
    torch.save(torch.load(best) | {"profile": asdict(profile)}, best)
    checkpoint = load_checkpoint(best)
    assert checkpoint.profile == profile
    save_model(checkpoint, Model(metadata={"data": "synthetic"}), tmp_path / "model")
    (member,) = load_members(str(tmp_path / "model"), tmp_path)
    assert member.profile == profile
    event = np.datetime64("2018-09-05T18:08", "s")
    assert member.spec.learnt_events == (("hokkaido", event),)
