"""Chosen hyperparameters beside the range that was searched, read from a campaign's runs and the search space's code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.page.formats import format_setting
from tuning.settings.presets import get_preset
from tuning.trial.losses import BCE_DICE
from tuning.trial.recipe import SEARCHED
from tuning.trial.search_space import ARCH, Domain, LogUniform, make_space

EDGE_SHARE = 0.05  # of a range, on its logarithmic scale: a value so near to an end is at the edge
LEAST_STEPS = 3  # of a list of numbers: with two values, each is at an end
MAX_CHARS = 60  # of a value in a table
LOWEST, HIGHEST = "lowest", "highest"


@dataclass(frozen=True)
class Chosen:
    """One hyperparameter of a model's chosen configs.

    Attributes:
        name: Flat name, such as ``lr`` and ``arch.width``.
        value: The chosen value, readable; with several searched folds, one of each fold that differs.
        searched: The range or list that was searched, or that the value was fixed.
        edge: ``lowest`` or ``highest`` where the value is at an end of its range; else empty.
        known: Whether the value lies in the range; not so if the search space has changed since the campaign.
    """

    name: str
    value: str
    searched: str
    edge: str
    known: bool

    @property
    def varied(self) -> bool:
        """Whether there was a choice."""
        return not self.searched.startswith("fixed")


def find_space(params: Mapping[str, str], model: str) -> dict[str, Domain] | None:
    """Return the search space of a network in a campaign; None where this code has no such space.

    Args:
        params: Params of the campaign's run: its settings.
        model: The network's key.
    """
    try:
        narrow = get_preset(params.get("preset", "")).narrow
        recipe, loss = params.get("recipe", SEARCHED), params.get("loss", BCE_DICE)
        space = make_space(model, narrow, recipe, loss=loss)
    except ValueError:  # an unknown preset, or a network whose code is not here
        return None
    starts_from_weights = bool(params.get("init.digest"))  # then the weights fix the architecture
    return {
        name: domain
        for name, domain in space.items()
        if not (starts_from_weights and name.startswith(ARCH))
    }


def read_value(text: str, domain: Domain) -> Any:
    """Return the value of a domain whose logged text is *text*; None if the domain has no such value."""
    if isinstance(domain, LogUniform):
        number = read_number(text)
        return number if domain.low <= number <= domain.high else None
    return next((value for value in domain if str(value) == text), None)


def read_number(text: str) -> float:
    """Return a logged number; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def list_chosen(configs: Sequence[Mapping[str, str]], space: Mapping[str, Domain]) -> list[Chosen]:
    """Set the chosen values beside their ranges, in the order of the search space.

    Args:
        configs: Logged params of one run of each fold; a model that was searched once has the same values in all.
        space: Domain by flat name; names that the params lack are left out.
    """
    found = []
    for name, domain in space.items():
        texts = list(dict.fromkeys(config[name] for config in configs if name in config))
        if not texts:
            continue
        values = [read_value(text, domain) for text in texts]
        edges = {find_edge(value, domain) for value in values if value is not None} - {""}
        found.append(
            Chosen(
                name,
                " / ".join(map(format_value, texts)),
                describe_domain(domain),
                " and ".join(sorted(edges)),
                all(value is not None for value in values),
            )
        )
    return found


def find_edge(value: Any, domain: Domain) -> str:
    """Return ``lowest`` or ``highest`` if a value is at an end of its range, else nothing.

    A list has ends if it holds at least ``LEAST_STEPS`` numbers.
    """
    if isinstance(domain, LogUniform):
        place = math.log(value / domain.low) / math.log(domain.high / domain.low)
        return LOWEST if place <= EDGE_SHARE else HIGHEST if place >= 1 - EDGE_SHARE else ""
    numbers = sorted({one for one in domain if is_numeric(one)})
    if len(numbers) < LEAST_STEPS or len(numbers) < len(set(map(str, domain))):
        return ""
    return LOWEST if value == numbers[0] else HIGHEST if value == numbers[-1] else ""


def is_numeric(value: Any) -> bool:
    """Return whether a value is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe_domain(domain: Domain) -> str:
    """Describe a range or a list in a few words; a list of one value was fixed."""
    if isinstance(domain, LogUniform):
        low, high = (format_value(str(end)) for end in (domain.low, domain.high))
        return f"{low} to {high}, logarithmic"
    if len(domain) == 1:
        return f"fixed at {format_value(str(domain[0]))}"
    return ", ".join(format_value(str(value)) for value in domain)


def format_value(text: str) -> str:
    """Return a logged value for a reader: a number with three digits, anything else shortened and printable."""
    shown = "".join(one if one.isprintable() else "?" for one in format_setting(text))
    return shown if len(shown) <= MAX_CHARS else f"{shown[:MAX_CHARS]}…"
