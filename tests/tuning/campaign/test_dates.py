"""Networks read dates only where the dates do not tell the label, or the user allows it."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from data.check.leak import LeakAudit
from data.check.leak_auc import GroupAuc
from data.check.leak_features import GROUPS
from tests.support.dated_network import DatedNetwork
from tuning.campaign import dates
from tuning.campaign.dates import find_refused, restrict_space, settle_dates

CLEAN = LeakAudit(
    "hokkaido", "4 event", 40, 20, 12, tuple(GroupAuc(name, 0.5, 0.4, 0.6, "") for name in GROUPS)
)
LEAKING = replace(
    CLEAN, region="italy", groups=tuple(GroupAuc(name, 0.9, 0.8, 1.0, "") for name in GROUPS)
)
UNKNOWN = replace(
    CLEAN, groups=tuple(GroupAuc(name, None, None, None, "too few") for name in GROUPS)
)


class Switched(nn.Module):
    """Reads dates if its argument says so."""

    def __init__(self, in_channels: int, timesteps: int, dates: bool = True) -> None:
        super().__init__()
        self.reads_dates = dates
        self.conv = nn.Conv2d(in_channels, 1, 1)


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    built: dict[str, Callable[..., nn.Module]] = {"always": DatedNetwork, "switched": Switched}

    def create(name: str, channels: int, timesteps: int, **arch: bool) -> nn.Module:
        assert torch.get_default_device().type == "meta"
        return built[name](channels, timesteps, **arch)

    def first(model: str, space: dict[str, list[bool]]) -> dict[str, bool]:
        return {name: values[0] for name, values in space.items()}

    monkeypatch.setattr(dates, "create_model", create)
    monkeypatch.setattr(dates, "first_sample", first)


def test_clean_dates_may_be_read() -> None:
    rule = settle_dates([CLEAN], synthetic=False, given=False)
    assert rule.allowed
    assert rule.reason == "the audit found no date that tells annotated tiles from others"


def test_leaking_dates_are_read_only_if_the_user_allows_it() -> None:
    rule = settle_dates([CLEAN, LEAKING], synthetic=False, given=False)
    assert not rule.allowed
    assert "tell annotated tiles from others in italy" in rule.reason
    given = settle_dates([CLEAN, LEAKING], synthetic=True, given=True)
    assert given.allowed
    assert given.reason == f"{rule.reason}, and --allow-dates was given"


def test_dates_that_could_not_be_audited_are_read_only_of_the_twin() -> None:
    rule = settle_dates([UNKNOWN], synthetic=False, given=False)
    assert not rule.allowed
    assert "could not be measured in hokkaido" in rule.reason
    assert settle_dates([UNKNOWN], synthetic=True, given=False).allowed


def test_where_all_tiles_are_annotated_dates_tell_nothing() -> None:
    annotated = replace(UNKNOWN, annotated=UNKNOWN.tiles)
    rule = settle_dates([annotated], synthetic=False, given=False)
    assert rule.allowed
    assert rule.reason.startswith("the tiles are all annotated, or all not, so no date tells")
    assert settle_dates([annotated, CLEAN], synthetic=False, given=False).allowed
    assert not settle_dates([annotated, UNKNOWN], synthetic=False, given=False).allowed


def test_networks_that_read_dates_are_refused_or_read_none() -> None:
    rule = settle_dates([LEAKING], synthetic=False, given=False)
    spaces = {"always": {}, "switched": {"arch.dates": [True, False]}}
    restricted = {name: restrict_space(space, rule) for name, space in spaces.items()}
    assert restricted == {"always": {}, "switched": {"arch.dates": [False]}}
    refused = find_refused(restricted, 2, 4, rule)
    assert list(refused) == ["always"]
    assert re.fullmatch(
        r"always reads the dates of acquisitions, which is not allowed here: the audit found .* in italy\. Choose "
        r"--steps common, or give --allow-dates, which the report states\.",
        refused["always"],
    )
    assert list(find_refused(spaces, 2, 4, rule)) == ["always", "switched"]


def test_allowed_dates_restrict_nothing() -> None:
    rule = settle_dates([CLEAN], synthetic=False, given=False)
    space = {"arch.dates": [True, False]}
    assert restrict_space(space, rule) == space
    assert find_refused({"always": {}, "switched": space}, 2, 4, rule) == {}
