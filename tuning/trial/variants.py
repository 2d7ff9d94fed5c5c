"""What a campaign may train with other than the usual: its entries in a config, and the sentence about them.

A usual value has no entry, so that a config of an earlier release means the same, and keeps its trial's key.
"""

from collections.abc import Mapping
from typing import Any

from data.splits import WHOLE, parse_train_share
from tuning.objects.label_noise import make_label_noise
from tuning.trial.folder import Config
from tuning.trial.losses import BCE_DICE, check_loss

_OF_DATA = ("train_share", "label_noise")  # entries that also change what baselines learn from
REPLAY = "replay"  # entry of trials that are also measured along the calendar after the event, and their .npz


def make_variant(
    loss: str = BCE_DICE,
    train_share: str = WHOLE,
    label_noise: Mapping[str, Any] | None = None,
    init: str = "",
    *,
    replay: bool = False,
) -> Config:
    """Return the entries of a config for what a campaign trains with, and whether it replays the calendar.

    Args:
        loss: Name of the training loss.
        train_share: Share of the train tiles, as :func:`data.splits.parse_train_share` reads it.
        label_noise: Values of :class:`tuning.objects.label_noise.LabelNoise`.
        init: Hash of the weights that a training starts from (`tuning.trial.initial`); empty for random ones.
        replay: Whether test is also measured on each day after the event (:mod:`tuning.replay.measure`).

    Raises:
        ValueError: If one is unknown or out of range.
    """
    entries: Config = {
        "loss": check_loss(loss),
        "train_share": str(parse_train_share(train_share)),
        "label_noise": make_label_noise(label_noise or {}).to_entry(),
        "init": init,
        REPLAY: replay,
    }
    usual: Config = {
        "loss": BCE_DICE,
        "train_share": WHOLE,
        "label_noise": {},
        "init": "",
        REPLAY: False,
    }
    return {name: value for name, value in entries.items() if value != usual[name]}


def pick_data_entries(config: Mapping[str, Any]) -> Config:
    """Return the entries that change the data to learn from, which also baselines have that learn."""
    return {name: config[name] for name in _OF_DATA if name in config}


def pick_measured_entries(config: Mapping[str, Any]) -> Config:
    """Return the entries that change what is measured, which every baseline has."""
    return {name: config[name] for name in (REPLAY,) if name in config}


def describe_variant(config: Config) -> str:
    """Say in a line what a config trains with, also what is usual."""
    share = f"{config['train_share']} of" if "train_share" in config else "all"
    noise = make_label_noise(config.get("label_noise", {}))
    labels = f"with label noise {noise}" if noise else "labels as they are"
    text = f"loss {config.get('loss', BCE_DICE)}, {share} train tiles, {labels}"
    return f"{text}, starting from the weights {config['init']}" if "init" in config else text


USUAL = describe_variant({})  # of campaigns of earlier releases
