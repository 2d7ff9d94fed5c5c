"""What a campaign may train with other than the usual: its entries in a config, and the sentence about them.

A usual value has no entry, so that a config of an earlier release means the same, and keeps its trial's key.
"""

from typing import Any

from tuning.trial.folder import Config
from tuning.trial.losses import BCE_DICE, check_loss


def make_variant(loss: str = BCE_DICE) -> Config:
    """Return the entries of a config for what a campaign trains with.

    Args:
        loss: Name of the training loss.

    Raises:
        ValueError: If one is unknown.
    """
    return {} if check_loss(loss) == BCE_DICE else {"loss": loss}


def describe_variant(config: Config) -> str:
    """Say in a line what a config trains with, also what is usual."""
    parts: list[Any] = [f"loss {config.get('loss', BCE_DICE)}"]
    return ", ".join(parts)


USUAL = describe_variant({})  # of campaigns of earlier releases
