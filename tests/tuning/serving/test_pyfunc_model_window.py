"""The served model of a network on a window of acquisitions reads a tile as training did."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.models import Model

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.tiles import tile_path
from models import narrow_arch
from tests.support.served_fixtures import ARCH, write_checkpoint
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import predict


@pytest.mark.parametrize(
    ("model", "arch", "steps"),
    [
        ("unet_ltae", narrow_arch("unet_ltae"), "pre:3/post:1"),  # reads dates
        ("unet", {**ARCH, "depth": 2}, "pre:1/post:9"),
    ],
)
def test_a_tile_is_mapped_from_the_window_of_training(
    twin: Path, pack: Pack, tmp_path: Path, model: str, arch: dict[str, Any], steps: str
) -> None:
    count, tile_id = 4 if steps == "pre:3/post:1" else 10, pack.tile_ids[1]
    config = {"model": model, "arch": arch, "timesteps": count, "steps": steps}
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, **config).best)
    save_model(checkpoint, Model(metadata={}), tmp_path / "model")
    wanted, other = (
        predict(
            checkpoint.model,
            TileDataset(pack, [tile_id], checkpoint.norm, count, torch.device("cpu"), chosen).batch(
                [0]
            ),
        ).numpy()
        for chosen in (steps, "even")
    )
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    found = served.predict(str(tile_path(twin, tile_id, "s1dsc")))
    assert np.abs(found - wanted).max() <= 1e-4
    assert np.abs(found - other).max() > 1e-2  # else the choice would not matter
