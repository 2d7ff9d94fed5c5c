"""The names of the training losses, and the searched hyperparameters that each has; `tuning.train.losses` computes them."""

from collections.abc import Mapping
from typing import Any

from data.io.errors import unknown_name

BCE_DICE = "bce_dice"  # of a config without the key ``loss``
WEIGHTS = ("bce_weight", "pos_weight")
# The hyperparameters of `tuning.trial.search_space.TRAINING` that a loss reads; the other losses have none.
LOSSES: dict[str, tuple[str, ...]] = {
    BCE_DICE: WEIGHTS,
    "focal_dice": WEIGHTS,
    "tversky": (),
    "focal_tversky": (),
    "lovasz": (),
}


def check_loss(name: Any) -> str:
    """Return the name of a loss.

    Raises:
        ValueError: If it is unknown.
    """
    if not isinstance(name, str) or name not in LOSSES:
        raise ValueError(unknown_name("loss", name, LOSSES))
    return name


def list_weights(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the loss's hyperparameters that a config must have."""
    return LOSSES[check_loss(config.get("loss", BCE_DICE))]


def drop_ignored(values: Mapping[str, Any], loss: str) -> dict[str, Any]:
    """Return a search space or fixed values without the hyperparameters that a loss does not read."""
    ignored = {*WEIGHTS} - {*LOSSES[check_loss(loss)]}
    return {name: value for name, value in values.items() if name not in ignored}
