"""Checkpoint files of a training: written so that a kill at any moment leaves all files of one epoch; loaded safely.

A better checkpoint and its histogram are first written as ``next.pt`` and ``next_counts.npy``. They become ``best.pt``
and ``val_counts.npy`` once ``last.pt`` of the same epoch exists.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from data.io.durable import write_atomically
from data.io.safe_checkpoint import checkpoint_error, load_tensors
from data.io.safe_json import RefusedError, is_number
from data.pack.normalisation import Normalisation
from data.pack.profile import TrainingProfile, read_profile
from models import create_model
from tuning.trial.config import check_config, recall_from_config
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.initial import load_initial

_NEXT = "next"
_REMEDY = "Or delete it: the trial then trains from the start."


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with everything needed to use it.

    Attributes:
        config: The trial's config.
        model: The network in eval mode: normalised ``(B, T, C, H, W)`` to logits ``(B, 1, H, W)``.
        norm: Normalisation measured on the train tiles.
        epoch: Epoch of the weights, from 1.
        threshold: Probability from which a pixel counts as landslide, chosen on val.
        profile: What the train tiles are like; None if an earlier version trained it.
    """

    config: Config
    model: nn.Module
    norm: Normalisation
    epoch: int
    threshold: float
    profile: TrainingProfile | None = None

    @property
    def learnt_regions(self) -> dict[str, str]:
        """The tag ``regions`` of a model: the regions of its train tiles; empty without a profile."""
        return {"regions": " ".join(self.profile.regions)} if self.profile else {}


def make_model(config: Config) -> nn.Module:
    """Create the network of a config, also of one from outside this project.

    Raises:
        ValueError: If its architecture is unknown, or its source files have changed since.
    """
    recall_from_config(config)
    return create_model(
        config["model"], len(config["channels"]), config["timesteps"], **config["arch"]
    )


def start_model(config: Config, packs: Path) -> nn.Module:
    """Create the network of a config with the weights that it starts from, which are random or a file among the packs.

    Raises:
        FileNotFoundError: If the file is lost.
        ValueError: As :func:`make_model`, or if the weights are damaged or those of another network.
    """
    model = make_model(config)
    load_initial(model, config, packs)
    return model


def load_checkpoint(path: Path, device: torch.device | None = None) -> Checkpoint:
    """Load a ``best.pt``; only tensors and plain values are unpickled, see :mod:`data.io.safe_checkpoint`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If training did not write the file, its config is invalid, or its weights belong to another
            network.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"A checkpoint must be a best.pt written by training, but got {path}. "
            "Train at least one epoch first."
        )
    saved = load_tensors(path, device or "cpu")
    try:
        config = check_config(saved["config"], path)
        norm = _read_norm(saved["norm"], config["channels"])
        model = make_model(config)
        model.load_state_dict(saved["model"])
        profile = read_profile(saved.get("profile"))
        epoch, threshold = int(saved["epoch"]), float(saved["threshold"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise checkpoint_error(error, path) from error
    model.to(device or "cpu").eval()
    return Checkpoint(config, model, norm, epoch, threshold, profile)


def _read_norm(values: dict[str, Any], channels: Sequence[str]) -> Normalisation:
    """Return the normalisation stored in a checkpoint.

    Raises:
        TypeError: If it lacks a channel's mean or standard deviation, or a value is invalid.
    """
    norm = Normalisation(**values)
    sizes = {len(norm.mean), len(norm.std), len(channels)}
    if tuple(norm.channels) != tuple(channels) or len(sizes) > 1:
        raise TypeError("normalisation statistics must be those of the config's channels")
    numbers = (*norm.mean, *norm.std)
    if not all(is_number(value, -1e9, 1e9) for value in numbers) or min(norm.std) <= 0:
        raise TypeError("normalisation statistics must be finite, with std > 0")
    return norm


def save_candidate(trial: TrialFolder, content: dict[str, Any], counts: np.ndarray) -> None:
    """Write a better checkpoint before ``last.pt`` of its epoch exists.

    Args:
        trial: The trial's folder.
        content: The checkpoint; its ``epoch`` counts from 1.
        counts: Histogram of val, shape ``(2, BINS)``.
    """
    write_atomically(trial.path / f"{_NEXT}.pt", lambda aside: torch.save(content, aside))
    trial.write_counts(_NEXT, counts)


def promote_candidate(trial: TrialFolder) -> None:
    """Rename the candidate to the best checkpoint, once ``last.pt`` of its epoch exists."""
    for candidate, name in ((f"{_NEXT}_counts.npy", "val_counts.npy"), (f"{_NEXT}.pt", "best.pt")):
        file = trial.path / candidate
        if file.is_file():  # a kill may have come between the two renames
            os.replace(file, trial.path / name)


def settle_candidate(trial: TrialFolder, epoch: int) -> None:
    """Promote the candidate if ``last.pt`` has its epoch, else delete it.

    Args:
        trial: The trial's folder.
        epoch: Epoch of ``last.pt``; 0 if that file does not exist.
    """
    candidate = trial.path / f"{_NEXT}.pt"
    if not candidate.is_file():
        return
    if load_tensors(candidate)["epoch"] == epoch:
        promote_candidate(trial)
    for name in (f"{_NEXT}_counts.npy", candidate.name):
        (trial.path / name).unlink(missing_ok=True)


@contextmanager
def explain_damage(trial: TrialFolder) -> Iterator[None]:
    """Turn every error while loading ``last.pt`` into a ValueError that names the file and the remedy.

    Raises:
        ValueError: If the file is damaged or belongs to another trial.
    """
    try:
        yield
    except RefusedError as error:
        raise ValueError(f"{error} {_REMEDY}") from error
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{checkpoint_error(error, trial.last)} {_REMEDY}") from error
