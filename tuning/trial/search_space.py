"""What is searched: training hyperparameters, their known-good values, and the config they become.

A config is one small JSON dict. It goes unchanged to the model, into MLflow and into the checkpoint.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models import known_good, search_space

ARCH = "arch."  # prefix of a model's own hyperparameters in a flat sample


@dataclass(frozen=True)
class LogUniform:
    """A range searched on a logarithmic scale, both ends included."""

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


def make_space(model: str, narrow: Mapping[str, Sequence[Any]] | None = None) -> dict[str, Domain]:
    """Join the training hyperparameters and the model's own into one flat space.

    Args:
        model: Name of an architecture.
        narrow: Shorter lists by flat name, such as ``{"arch.width": [8]}``; names that the model
            does not have are passed over.

    Returns:
        Domain by flat name.
    """
    space: dict[str, Domain] = dict(TRAINING)
    space |= {f"{ARCH}{name}": list(values) for name, values in search_space(model).items()}
    return space | {name: list(values) for name, values in (narrow or {}).items() if name in space}


def first_sample(model: str, space: Mapping[str, Domain]) -> dict[str, Any]:
    """Return the known-good sample that becomes trial 0, moved into a narrowed space."""
    good = KNOWN_GOOD | {f"{ARCH}{name}": value for name, value in known_good(model).items()}
    return {name: _nearest(good[name], domain) for name, domain in space.items()}


def _nearest(value: Any, domain: Domain) -> Any:
    if isinstance(domain, LogUniform) or value in domain:
        return value
    if isinstance(value, (int, float)):
        return min(domain, key=lambda other: abs(other - value))
    return domain[0]


def compose(sample: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a flat sample and the fixed values into a config.

    Args:
        sample: Values by flat name.
        fixed: What is not searched: model, channels, timesteps, batch_size, clip, epochs, patience,
            seed, split and data.

    Returns:
        The config, with the model's own values under ``arch``.
    """
    arch = {
        name.removeprefix(ARCH): value for name, value in sample.items() if name.startswith(ARCH)
    }
    training = {name: value for name, value in sample.items() if not name.startswith(ARCH)}
    return {**fixed, **training, "arch": arch}


def make_key(stage: str, config: Mapping[str, Any]) -> str:
    """Hash what identifies a trial: its stage and its config, seed, split and data included.

    Returns:
        Sixteen hex digits, equal in every process; Ray's own trial ids change on restore.
    """
    text = json.dumps([stage, config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
