"""Checkpoints and network files for tests of logged models, without training."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from data.pack.normalisation import Normalisation
from tuning.serving.export import make_program, make_reference, save_program
from tuning.train.checkpoints import load_checkpoint, make_model
from tuning.trial.folder import Config, TrialFolder

Members = dict[str, bytes]

ARCH = {"width": 4, "depth": 3, "conv": "plain", "norm": "batch"}
S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
UNITS = {"VV": (-9.0, 3.5), "VH": (-15.5, 4.0), "DEM": (180.0, 120.0), "slope": (14.0, 9.0)}
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
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():  # batch statistics of noise, so that predictions differ between pixels
        model(torch.randn(4, config["timesteps"], len(config["channels"]), 32, 32))
    trial_folder = TrialFolder(folder)
    norm = asdict(make_norm(tuple(config["channels"])))
    content = {"config": config, "model": model.state_dict(), "norm": norm}
    torch.save(content | {"epoch": 3, "threshold": 0.25}, trial_folder.best)
    return trial_folder


def write_network(folder: Path) -> Path:
    """Write a network's file as it is logged, its checkpoint beside it."""
    checkpoint = load_checkpoint(write_checkpoint(folder).best)
    program = make_program(checkpoint)
    save_program(program, make_reference(program, checkpoint.norm), folder / "program.pt2")
    return folder / "program.pt2"


def read_members(path: Path) -> Members:
    """Read a network's file: its members by their names below the root folder."""
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: Members, **settings: Any) -> Path:
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, content in members.items():
            archive.writestr(f"program/{name}", content)
    return path


def change_json(members: Members, name: str, change: Callable[[Any], object]) -> Members:
    """Apply a change to one of the JSON members."""
    content = json.loads(members[name])
    change(content)
    return members | {name: json.dumps(content).encode()}
