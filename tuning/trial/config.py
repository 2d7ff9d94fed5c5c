"""Checks of a trial's config, which somebody else may have written: known names, numbers within limits.

The limits are far beyond the search space; they prevent a config from filling the memory or the disk.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import is_number, is_safe_name, refused_error, show_value
from data.pack.augmentation import make_augment
from data.pack.channels import CHANNELS, STEPS, check_choice
from data.pack.normalisation import KINDS
from data.splits import check_split, parse_train_share
from data.tiles import ACQUISITIONS
from data.values.window import is_window
from models import is_key, list_models, recall_network
from tuning.objects.label_noise import make_label_noise
from tuning.trial.folder import Config
from tuning.trial.losses import LOSSES
from tuning.trial.recipe import SCHEDULES

BUILD = ("model", "arch", "channels", "timesteps", "steps")  # needed to build a network
OUTSIDE = (
    "network",
    "network_hash",
)  # of a network from outside: where its class was, and the hash of its files
_MOST_FLOAT = 1e38  # of float32
# Least and greatest value.
WHOLE = {
    "timesteps": (1, ACQUISITIONS),
    "batch_size": (1, 4096),
    "epochs": (1, 10_000),
    "patience": (1, 10_000),
    "seed": (0, 2**32 - 1),
}
NUMBERS = {
    "lr": (0.0, _MOST_FLOAT),
    "weight_decay": (0.0, _MOST_FLOAT),
    "bce_weight": (0.0, 1.0),
    "pos_weight": (0.0, _MOST_FLOAT),
    "clip": (0.0, _MOST_FLOAT),
}
_REMEDY = "Take a trial's config.json as it is."


def check_config(content: Any, place: Path | str, needed: Sequence[str] = BUILD) -> Config:
    """Return a config after checking every value.

    Args:
        content: The parsed JSON.
        place: Its file or run, for the error message.
        needed: Names that the config must have.

    Returns:
        *content*.

    Raises:
        ValueError: If it is not a dict, lacks a name, or has an unknown name, a wrong type or a number out of range.
            :func:`models.create_model` checks the arguments of the architecture.
    """
    if not isinstance(content, dict):
        raise refused_error("A config must be an object", show_value(content), place, _REMEDY)
    if lacking := [name for name in needed if name not in content]:
        raise ValueError(
            f"A config names {', '.join(needed)}, but this one lacks {', '.join(lacking)}. {_REMEDY}"
        )
    for name, value in content.items():
        if name in WHOLE or name in NUMBERS:
            _check_number(name, value, place)
        elif name == "model" and "network" in content and is_key(value):
            continue  # its reference leads to it, when it is built
        elif name in _CHECKS:
            _CHECKS[name](name, value, place)
        elif not isinstance(value, str | int | float | bool | None):
            raise refused_error(
                f"A config's {show_value(name)} must be a text or a number",
                show_value(value),
                place,
                _REMEDY,
            )
    return content


def _check_number(name: str, value: Any, place: Path | str) -> None:
    whole = name in WHOLE
    low, high = WHOLE[name] if whole else NUMBERS[name]
    if not is_number(value, low, high, whole=whole):
        kind = "a whole number" if whole else "a number"
        rule = f"A config's {name} must be {kind} from {low:g} to {high:g}"
        raise refused_error(rule, show_value(value), place, _REMEDY)


def _check_choice(choices: Sequence[str]) -> Callable[[str, Any, Path | str], None]:
    def check(name: str, value: Any, place: Path | str) -> None:
        if value not in choices:
            raise ValueError(f"{unknown_name(name, value, choices)} It stands in {place}.")

    return check


def _check_model(name: str, value: Any, place: Path | str) -> None:
    _check_choice(list_models())(name, value, place)


def recall_from_config(config: Config) -> None:
    """Make a config's network known to this process if it is one from outside, and its files are still the same.

    Raises:
        ValueError: If they have changed, or lead to no network.
    """
    if all(name in config for name in OUTSIDE):
        reference, digest = (str(config[name]) for name in OUTSIDE)
        recall_network(config["model"], reference, digest)


def _check_channels(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, list | tuple) or not value:
        raise refused_error(
            "A config's channels must be a list of names", show_value(value), place, _REMEDY
        )
    for one in value:
        _check_choice(CHANNELS)("channel", one, place)
    if len(set(value)) < len(value):
        raise refused_error("A config's channels must come once", show_value(value), place, _REMEDY)


def _check_values(name: str, value: Any, place: Path | str) -> None:
    """Check that a network's own arguments are plain values; the network checks their ranges."""
    if not isinstance(value, dict):
        raise refused_error("A config's arch must be an object", show_value(value), place, _REMEDY)
    for key, one in value.items():
        if key in ("name", "in_channels", "timesteps") or not isinstance(one, str | int | float):
            raise refused_error(
                "A config's arch must hold plain values", show_value({key: one}), place, _REMEDY
            )


def _check_augment(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, dict) or not all(is_number(one, 0, 1e6) for one in value.values()):
        raise refused_error(
            "A config's augment must hold numbers", show_value(value), place, _REMEDY
        )
    try:
        make_augment(value)
    except TypeError as error:
        raise refused_error(
            "A config's augment must have known names", error, place, _REMEDY
        ) from error


def _check_steps(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, str) or not is_window(value):
        _check_choice(STEPS)(name, value, place)
        return
    try:
        check_choice(value)
    except ValueError as error:
        raise ValueError(f"{error} It stands in {place}.") from error


def _check_split(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, str):
        raise refused_error("A config's split must be a name", show_value(value), place, _REMEDY)
    check_split(value)


def _check_train_share(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, str):
        rule = "A config's train_share must be a text"
        raise refused_error(rule, show_value(value), place, _REMEDY)
    parse_train_share(value)


def _check_label_noise(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, dict):
        rule = "A config's label_noise must be an object"
        raise refused_error(rule, show_value(value), place, _REMEDY)
    make_label_noise(value)


def _check_init(name: str, value: Any, place: Path | str) -> None:
    if not is_safe_name(value):
        raise refused_error(
            "A config's init must be the hash of weights", show_value(value), place, _REMEDY
        )


def _check_replay(name: str, value: Any, place: Path | str) -> None:
    if not isinstance(value, bool):
        rule = "A config's replay must be true or false"
        raise refused_error(rule, show_value(value), place, _REMEDY)


def _check_data(name: str, value: Any, place: Path | str) -> None:
    if not is_safe_name(value):
        raise refused_error(
            "A config's data must be a pack's hash", show_value(value), place, _REMEDY
        )


_CHECKS: dict[str, Callable[[str, Any, Path | str], None]] = {
    "model": _check_model,
    "steps": _check_steps,
    "norm": _check_choice(KINDS),
    "schedule": _check_choice(SCHEDULES),
    "loss": _check_choice(tuple(LOSSES)),
    "channels": _check_channels,
    "arch": _check_values,
    "augment": _check_augment,
    "split": _check_split,
    "train_share": _check_train_share,
    "label_noise": _check_label_noise,
    "data": _check_data,
    "init": _check_init,
    "replay": _check_replay,
}
