"""Checkpoints and network files for tests of logged models, without training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from data.pack.normalisation import Normalisation
from models import apply_network
from tuning.serving.network import make_program
from tuning.serving.onnx_export import save_program
from tuning.serving.stored_network import write_network
from tuning.train.checkpoints import load_checkpoint, make_model
from tuning.trial.folder import Config, TrialFolder

ARCH = {"width": 4, "depth": 3, "conv": "plain", "norm": "batch"}
S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
UNITS = {"VV": (-9.0, 3.5), "VH": (-15.5, 4.0), "DEM": (180.0, 120.0), "slope": (14.0, 9.0)}
UNITS |= {"B04": (800.0, 400.0), "B08": (2500.0, 900.0)}
CONFIG = {"model": "unet", "arch": ARCH, "channels": list(S1), "timesteps": 4, "steps": "even"}


def make_norm(channels: tuple[str, ...] = S1) -> Normalisation:
    mean, std = zip(*(UNITS[name.split(":")[-1]] for name in channels), strict=True)
    return Normalisation(channels, mean, std)


def write_checkpoint(folder: Path, **changes: Any) -> TrialFolder:
    """Write a network with random weights and statistics as a trial's best checkpoint."""
    config: Config = {**CONFIG, **changes}
    torch.manual_seed(0)
    model = make_model(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():  # batch statistics of noise, so that predictions differ between pixels
        days = 12.0 * (torch.arange(config["timesteps"]) - config["timesteps"] // 2) + 5
        x = torch.randn(4, config["timesteps"], len(config["channels"]), 32, 32)
        apply_network(model, x, days.repeat(4, 1))
    trial_folder = TrialFolder(folder)
    norm = asdict(make_norm(tuple(config["channels"])))
    content = {"config": config, "model": model.state_dict(), "norm": norm}
    torch.save(content | {"epoch": 3, "threshold": 0.25}, trial_folder.best)
    return trial_folder


def write_network_files(folder: Path, *, noise: float = 0.0, seed: int = 0, **changes: Any) -> Path:
    """Write a network's files as they are logged, its checkpoint beside them; return the ONNX file."""
    checkpoint = load_checkpoint(write_checkpoint(folder, **changes).best)
    with torch.no_grad():
        for weights in checkpoint.model.parameters():
            weights += noise * torch.randn(weights.shape, generator=torch.manual_seed(seed))
    program, path = make_program(checkpoint), folder / "model.onnx"
    reference = save_program(program, checkpoint.norm, path)
    multiple = int(reference["multiple"])
    write_network(program, checkpoint.config, checkpoint.norm, multiple, folder)
    return path
