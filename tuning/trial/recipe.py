"""The two recipes of a campaign: searched hyperparameters, or those that the data set's authors trained with.

Their settings (repository PaulH97/Sen12Landslides, commit 5b313f2) are AdamW with a learning rate of 1e-3 and a weight decay of
0.01, a loss of half cross-entropy with a positive weight of 5 and half soft Dice over the batch, batches of 16, gradients
clipped to a norm of 1, a constant learning rate, a patience of 20 epochs, and turned and flipped tiles. What they did
otherwise, and this project does not: they measured the weights of the last epoch instead of those that were best on val,
counted the patience in val IoU, and turned tiles by one of three angles half of the time.
"""

from collections.abc import Mapping
from typing import Any

from data.io.errors import unknown_name
from models import move_into, published

SEARCHED, PUBLISHED = "searched", "published"
RECIPES = (SEARCHED, PUBLISHED)
CONSTANT, COSINE = "constant", "cosine"
SCHEDULES = (CONSTANT, COSINE)  # of the learning rate; a config without one has the last
TRAINING = {"lr": 1e-3, "weight_decay": 0.01, "bce_weight": 0.5, "pos_weight": 5.0}
FIXED = {"batch_size": 16, "patience": 20, "schedule": CONSTANT}
AUGMENT = ("turn",)


def check_recipe(name: str) -> None:
    """Raise ValueError if the recipe is unknown."""
    if name not in RECIPES:
        raise ValueError(unknown_name("recipe", name, RECIPES))


def fix_recipe(name: str) -> dict[str, Any]:
    """Return the config values that a recipe fixes beside the preset's; none if hyperparameters are searched."""
    return dict(FIXED) if name == PUBLISHED else {}


def publish_arch(model: str, narrow: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return a network's published arguments as lists of one value, moved into the lists of *narrow* that there are."""
    return {
        name: [move_into(value, narrow.get(name, [value]))]
        for name, value in published(model).items()
    }


def describe_recipe(name: str, *, narrowed: bool) -> str:
    """Describe a campaign's recipe in sentences; empty if hyperparameters are searched.

    Args:
        name: The recipe.
        narrowed: Whether the preset makes the networks narrower than published.
    """
    if name != PUBLISHED:
        return ""
    size = "narrowed by the preset, so not at its published size" if narrowed else "as published"
    return (
        f"No hyperparameter was searched (`--recipe {PUBLISHED}`): each network has its published arguments, {size}, and the "
        "training settings of the data set's authors; its one search trial tells the val score of these values."
    )
