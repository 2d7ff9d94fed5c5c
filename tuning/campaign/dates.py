"""Which networks of a campaign may read dates: where dates tell annotated tiles from others, none, unless the user allows it.

A network that reads dates could learn which dates annotated tiles have, instead of landslides (`data.check.leak`). Its argument
``dates``, if it has one, turns reading them off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from data.check.leak import LeakAudit
from models import create_model, reads_dates
from tuning.trial.search_space import ARCH, Domain, compose, first_sample

SWITCH = "dates"  # argument of an architecture: whether it reads dates
SWITCH_NAME = f"{ARCH}{SWITCH}"  # the same in a search space


@dataclass(frozen=True)
class DatesRule:
    """Whether networks may read dates.

    Attributes:
        allowed: Whether they may.
        reason: Why, a sentence.
    """

    allowed: bool
    reason: str


def settle_dates(audits: Iterable[LeakAudit], *, synthetic: bool, given: bool) -> DatesRule:
    """Decide from the audit of the campaign's tiles.

    Args:
        audits: One for each region.
        synthetic: Whether the tiles are the synthetic twin's, whose dates do not depend on landslides.
        given: Whether the user gave ``--allow-dates``.
    """
    audits = tuple(audits)
    leaking = [audit.region for audit in audits if audit.above_chance]
    unmeasured = [audit for audit in audits if all(group.auc is None for group in audit.groups)]
    unknown = [audit.region for audit in unmeasured if 0 < audit.annotated < audit.tiles]
    if leaking:
        found = (
            f"the audit found that dates tell annotated tiles from others in {', '.join(leaking)}"
        )
    elif unknown and not synthetic:
        found = f"the audit of dates could not be measured in {', '.join(unknown)}"
    else:
        reason = "the audit found no date that tells annotated tiles from others"
        if unknown:
            reason = "the synthetic twin's dates do not depend on landslides"
        elif len(unmeasured) == len(audits):
            reason = (
                "the tiles are all annotated, or all not, so no date tells one kind from the other"
            )
        return DatesRule(True, reason)
    if given:
        return DatesRule(True, f"{found}, and --allow-dates was given")
    return DatesRule(False, found)


def restrict_space(space: Mapping[str, Domain], rule: DatesRule) -> dict[str, Domain]:
    """Return a search space in which the switch of reading dates is off unless the rule allows it."""
    if rule.allowed or SWITCH_NAME not in space:
        return dict(space)
    return {**space, SWITCH_NAME: [False]}


def find_refused(
    spaces: Mapping[str, Mapping[str, Domain]], channels: int, timesteps: int, rule: DatesRule
) -> dict[str, str]:
    """Return why architectures are not trained, by name: those that cannot but read dates where that is not allowed.

    Args:
        spaces: The restricted search space of each architecture.
        channels: Channels of the input, C.
        timesteps: Acquisitions of the input, T.
        rule: Whether networks may read dates.
    """
    if rule.allowed:
        return {}
    refused = {}
    for model, space in spaces.items():
        if needs_dates(model, compose(first_sample(model, space), {})["arch"], channels, timesteps):
            refused[model] = (
                f"{model} reads the dates of acquisitions, which is not allowed here: {rule.reason}. Choose --steps common, "
                "or give --allow-dates, which the report states."
            )
    return refused


def needs_dates(model: str, arch: Mapping[str, Any], channels: int, timesteps: int) -> bool:
    """Return whether a network with these arguments reads dates, without weights in memory."""
    with torch.device("meta"):
        return reads_dates(create_model(model, channels, timesteps, **arch))
