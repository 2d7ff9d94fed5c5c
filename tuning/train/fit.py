"""One whole training in plain PyTorch: no Ray, no MLflow, so that it runs and is tested alone.

``python -m tuning.train config.json --pack PACK --to FOLDER`` reruns exactly the trial of a config.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from data.pack import Pack
from data.splits import Split, make_split
from tuning.train.environment import describe_environment
from tuning.train.training import Training
from tuning.train.training_data import TrainingData
from tuning.trial.config import check_config
from tuning.trial.folder import Config, Row, TrialFolder

REQUIRED_KEYS = (
    *(
        "model",
        "arch",
        "channels",
        "timesteps",
        "steps",
        "norm",
        "batch_size",
        "lr",
        "weight_decay",
    ),
    *("bce_weight", "pos_weight", "clip", "augment", "epochs", "patience", "seed", "split", "data"),
)

ReportRow = Callable[[Row], None]


def choose_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    config: Config,
    pack: Pack,
    folder: Path,
    report: ReportRow,
    *,
    device: torch.device | None = None,
) -> str:
    """Train one network to its end, or continue a training that was interrupted.

    Args:
        config: The trial's config (see :func:`tuning.trial.search_space.compose`).
        pack: The packed tiles; their hash must be the config's ``data``.
        folder: The trial's folder; what it holds of the same trial is continued.
        report: Called after every epoch with its row, also for epochs trained earlier.
        device: Where to train; a GPU where there is one.

    Returns:
        Why training ended: ``last epoch`` or ``patience``; ``scheduler`` for a trial that was stopped before.

    Raises:
        ValueError: If the pack or the folder belongs to another config.
        BadTrialError: If the loss or val average precision is not finite, or all outputs are equal.
    """
    begun = start_training(config, pack, TrialFolder(folder), report, device or choose_device())
    if isinstance(begun, str):
        return begun
    try:
        while not is_training_finished(begun):
            report(begun.run_epoch())
        return finish_training(begun)
    finally:
        begun.halt()


def start_training(
    config: Config,
    pack: Pack,
    journal: TrialFolder,
    report: ReportRow,
    device: torch.device,
    parts: TrainingData | None = None,
) -> Training | str:
    """Make a training at the point that its folder has reached, or say why it has ended.

    Args:
        config: As of :func:`fit`, and so on.
        pack: The packed tiles.
        journal: The trial's folder.
        report: Called with every row that is there.
        device: Where to train.
        parts: Tiles that other trainings use as well.
    """
    _claim(journal, config, pack)
    ended = journal.read("end") or {"reason": "error"}
    if ended["reason"] != "error":  # its checkpoint of the last epoch may be gone
        for row in journal.history():
            report(row)
        return str(ended["reason"])
    journal.write("environment", describe_environment(device))
    training = Training(config, pack, make_config_split(config, pack), journal, device, parts=parts)
    training.resume()
    for row in journal.history():
        report(row)
    return training


def is_training_finished(training: Training) -> bool:
    """Tell whether a training has had its last epoch, or none of late was better."""
    config = training.config
    return bool(training.epoch >= config["epochs"] or training.stale >= config["patience"])


def finish_training(training: Training) -> str:
    """Leave in its folder what a training took and why it ended; return why."""
    training.halt()
    training.check_result()
    journal = training.journal
    reason = "last epoch" if training.epoch >= training.config["epochs"] else "patience"
    journal.write("cost", training.cost())
    journal.end(reason, epoch=training.epoch)
    journal.last.unlink(missing_ok=True)  # it served to continue
    return reason


def make_config_split(config: Config, pack: Pack) -> Split:
    """Make a config's split of a pack's tiles; a split from a file lies beside the pack."""
    return make_split(config["split"], pack.tile_ids, pack.path.parent)


def _claim(journal: TrialFolder, config: Config, pack: Pack) -> None:
    """Check that pack and folder belong to the config, and leave the config in the folder."""
    check_config(config, "it", REQUIRED_KEYS)
    if config["data"] != pack.hash:
        raise ValueError(
            f"A config runs on the data that it names ({config['data']}), but the pack {pack.path} "
            f"has the hash {pack.hash}. Give the pack of those tiles."
        )
    there = journal.read("config")
    if there is not None and there != config:
        raise ValueError(
            f"A trial's folder holds one config, but {journal.path} holds another. "
            "Choose a new folder."
        )
    journal.write("config", config)
