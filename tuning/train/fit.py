"""One whole training in plain PyTorch, without Ray or MLflow, so that it runs and is tested alone.

``python -m tuning.train config.json --pack PACK --to FOLDER`` trains a config again, with the same result.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from data.pack import Pack
from data.splits import Split, make_split, shrink_train
from data.tiles import TILE_PX
from models import count_gmac
from tuning.train.environment import describe_environment
from tuning.train.training import Training
from tuning.train.training_data import TrainingData
from tuning.trial.config import check_config
from tuning.trial.folder import Config, Row, TrialFolder
from tuning.trial.losses import list_weights

REQUIRED_KEYS = (
    *("model", "arch", "channels", "timesteps", "steps", "norm", "batch_size", "lr"),
    *("weight_decay", "clip", "augment", "epochs", "patience"),
    *("seed", "split", "data"),
)

ReportRow = Callable[[Row], None]


def choose_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    config: Config,
    pack: Pack,
    folder: Path,
    report: ReportRow,
    *,
    device: torch.device | None = None,
) -> str:
    """Train one network to its end, or resume an interrupted training.

    Args:
        config: The trial's config (see :func:`tuning.trial.search_space.compose`).
        pack: The packed tiles; their hash must be the config's ``data``.
        folder: The trial's folder; a training of the same trial is resumed from it.
        report: Called after every epoch with its row, also for epochs trained earlier.
        device: Device of the training; by default a GPU if there is one.

    Returns:
        Why training ended: ``last epoch``, ``patience``, or ``scheduler`` for a trial that ASHA stopped earlier.

    Raises:
        ValueError: If the pack or the folder belongs to another config.
        BadTrialError: If the loss or val average precision is not finite, or all val pixels get one probability.
    """
    training = start_training(config, pack, TrialFolder(folder), report, device or choose_device())
    if isinstance(training, str):
        return training
    try:
        while not is_training_finished(training):
            report(training.run_epoch())
        return finish_training(training)
    finally:
        training.synchronise()


def start_training(
    config: Config,
    pack: Pack,
    trial: TrialFolder,
    report: ReportRow,
    device: torch.device,
    data: TrainingData | None = None,
) -> Training | str:
    """Start a training or resume it from its folder; if it has ended, return why.

    Args:
        config: The trial's config.
        pack: The packed tiles.
        trial: The trial's folder.
        report: Called with the row of every epoch trained earlier.
        device: Device of the training.
        data: Tiles shared with other trainings; loaded if omitted.

    Raises:
        ValueError: If the pack or the folder belongs to another config.
    """
    _check_owner(trial, config, pack)
    ended = trial.read("end") or {"reason": "error"}
    if ended["reason"] != "error":  # an ended trial has no last.pt to resume from
        for row in trial.history():
            report(row)
        return str(ended["reason"])
    trial.write("environment", describe_environment(device, trial.read("environment")))
    training = Training(config, pack, make_config_split(config, pack), trial, device, data=data)
    training.resume()
    for row in trial.history():
        report(row)
    return training


def is_training_finished(training: Training) -> bool:
    """Return whether a training has run its last epoch or exhausted its patience."""
    config = training.config
    return bool(training.epoch >= config["epochs"] or training.stale >= config["patience"])


def finish_training(training: Training) -> str:
    """Write the cost and the end of a training into its folder; return why it ended.

    Raises:
        BadTrialError: If its best network gives every val pixel the same probability.
    """
    training.synchronise()
    training.check_result()
    trial = training.trial
    reason = "last epoch" if training.epoch >= training.config["epochs"] else "patience"
    trial.write("cost", training.cost() | count_work(training.config))
    trial.end(reason, epoch=training.epoch)
    trial.last.unlink(missing_ok=True)  # needed only to resume
    return reason


def count_work(config: Config) -> dict[str, float]:
    """Return ``gmac_per_tile``, billions of multiply-accumulates of one tile's forward pass; nothing if it is unknown."""
    sizes = len(config["channels"]), config["timesteps"], TILE_PX
    gmac = count_gmac(config["model"], *sizes, **config["arch"])
    return {} if math.isnan(gmac) else {"gmac_per_tile": gmac}


def check_training_config(content: Any, place: Path | str) -> Config:
    """Return the config of a training after checking every value, and that it has all of them.

    Raises:
        ValueError: As :func:`tuning.trial.config.check_config`; also if a hyperparameter of its loss is missing.
    """
    return check_config(
        content, place, (*REQUIRED_KEYS, *list_weights(check_config(content, place)))
    )


def make_config_split(config: Config, pack: Pack) -> Split:
    """Return a config's split of a pack's tiles, with its share of train; a split made from a file is stored beside the pack.

    Raises:
        ValueError: If the split cannot be made, or the share leaves too few tiles.
    """
    tiles = pack.surveys()
    split = make_split(config["split"], tiles, pack.path.parent)
    if "train_share" not in config:
        return split
    return shrink_train(split, tiles, config["train_share"], config["batch_size"])


def _check_owner(trial: TrialFolder, config: Config, pack: Pack) -> None:
    """Check that pack and folder belong to the config, and write the config into the folder."""
    check_training_config(config, "it")
    if config["data"] != pack.hash:
        raise ValueError(
            f"A config must be trained on the pack that it names ({config['data']}), but the pack "
            f"{pack.path} has the hash {pack.hash}. Choose the pack of the config's tiles."
        )
    stored = trial.read("config")
    if stored is not None and stored != config:
        raise ValueError(
            f"A trial's folder must hold one config, but {trial.path} holds another. "
            "Choose a new folder."
        )
    trial.write("config", config)
