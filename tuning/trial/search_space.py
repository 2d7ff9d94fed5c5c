"""The search space: hyperparameters, their known-good values, and the config made from a sample.

A config is a small JSON dict. Model, MLflow and checkpoint receive it unchanged.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.io.errors import unknown_name
from models import known_good, move_into, search_space
from models import narrow as narrow_lists
from tuning.trial.losses import BCE_DICE, drop_ignored
from tuning.trial.recipe import PUBLISHED, SEARCHED, check_recipe, publish_arch
from tuning.trial.recipe import TRAINING as PUBLISHED_TRAINING

# How a search space is made shorter for two cores by a network's NARROW lists: not, its numbers alone, or all of them.
NARROWINGS = ("none", "sizes", "all")
ARCH = "arch."  # prefix of a model's own hyperparameters in a flat sample


@dataclass(frozen=True)
class LogUniform:
    """A range on a logarithmic scale, both ends included."""

    low: float
    high: float


Domain = LogUniform | list[Any]

# The data set's own training code has AdamW 1e-3, weight decay 0.01, pos_weight 5 and equal shares of BCE and
# Dice; the published study has Adam 1e-3 and no pos_weight.
TRAINING: dict[str, Domain] = {
    "lr": LogUniform(5e-4, 1e-2),
    "weight_decay": LogUniform(1e-4, 1e-1),
    "bce_weight": [0.25, 0.5, 0.75],
    "pos_weight": [1.0, 2.0, 5.0],
}
KNOWN_GOOD: dict[str, Any] = {
    "lr": 3e-3,
    "weight_decay": 0.01,
    "bce_weight": 0.5,
    "pos_weight": 2.0,
}


def make_space(
    model: str, narrow: str = "none", recipe: str = SEARCHED, *, loss: str = BCE_DICE
) -> dict[str, Domain]:
    """Merge the hyperparameters of training and of a model into one flat search space.

    Args:
        model: Name of an architecture.
        narrow: One of ``NARROWINGS``: whether the model's own ``NARROW`` lists replace those of its ``SPACE``.
        recipe: One of ``RECIPES``; ``published`` leaves one value of each.
        loss: Name of the training loss; what it does not read is not searched.

    Returns:
        Domain by flat name.

    Raises:
        ValueError: If *narrow*, *recipe* or *loss* is unknown.
    """
    check_recipe(recipe)
    if narrow not in NARROWINGS:
        raise ValueError(unknown_name("narrowing", narrow, NARROWINGS))
    shorter = narrow_lists(model) if narrow != "none" else {}
    if narrow == "sizes":
        shorter = {name: values for name, values in shorter.items() if _are_numbers(values)}
    space: dict[str, Domain] = dict(TRAINING)
    lists = {name: shorter.get(name, values) for name, values in search_space(model).items()}
    if recipe == PUBLISHED:
        space |= {name: [value] for name, value in PUBLISHED_TRAINING.items()}
        lists |= publish_arch(model, shorter)
    return drop_ignored(space, loss) | {f"{ARCH}{name}": values for name, values in lists.items()}


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def first_sample(model: str, space: Mapping[str, Domain]) -> dict[str, Any]:
    """Return the sample of trial 0: the known-good values, moved into a narrowed space."""
    good = KNOWN_GOOD | {f"{ARCH}{name}": value for name, value in known_good(model).items()}
    return {name: _nearest(good.get(name), domain) for name, domain in space.items()}


def adapt_sample(
    sample: Mapping[str, Any], model: str, space: Mapping[str, Domain]
) -> dict[str, Any]:
    """Return a sample of another search space of the same model, moved into this one.

    Args:
        sample: Values by flat name; what this space does not have, such as a share of a loss without parts, is left out.
        model: Name of the architecture.
        space: The search space; what the sample lacks gets its known-good value.
    """
    first = first_sample(model, space)
    return {
        name: _nearest(sample[name], domain) if name in sample else first[name]
        for name, domain in space.items()
    }


def _nearest(value: Any, domain: Domain) -> Any:
    return value if isinstance(domain, LogUniform) else move_into(value, domain)


def compose(sample: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a flat sample and the fixed values into a config.

    Args:
        sample: Values by flat name.
        fixed: Values that are not searched: model, channels, timesteps, batch_size, clip, epochs, patience,
            seed, split and data.

    Returns:
        The config, with the model's hyperparameters under ``arch``.
    """
    arch = {
        name.removeprefix(ARCH): value for name, value in sample.items() if name.startswith(ARCH)
    }
    training = {name: value for name, value in sample.items() if not name.startswith(ARCH)}
    return {**fixed, **training, "arch": arch}


def make_key(stage: str, config: Mapping[str, Any]) -> str:
    """Return a trial's key: a hash of its stage and its config, which includes seed, split and data.

    Returns:
        Sixteen hex digits, equal in every process; Ray's trial ids change on restore.
    """
    text = json.dumps([stage, config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
