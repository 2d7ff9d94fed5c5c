"""A campaign audits the dates that its models read."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from data.pack.channels import select_steps
from tuning.campaign.leak import audit_campaign

COUNT = 60
ANNOTATED = np.random.default_rng(3).permutation(np.arange(COUNT) % 2 == 0)
DAYS = np.datetime64("2018-06-02T00", "s") + np.arange(15) * np.timedelta64(12, "D")


def make_pack(places: tuple[int, ...]) -> SimpleNamespace:
    """Make a pack whose annotated tiles have other dates at these places of the ascending series."""
    times = np.tile(DAYS, (COUNT, 2, 1))
    times[np.ix_(np.flatnonzero(ANNOTATED), (0,), places)] += np.timedelta64(6, "D")
    mask = np.zeros((COUNT, 4, 4), np.uint8)
    mask[ANNOTATED, 0] = 1
    events = np.full(COUNT, np.datetime64("2018-09-05T18:08", "s"))
    modalities, regions = ("s1asc", "s1dsc"), ("hokkaido",) * COUNT
    return SimpleNamespace(
        select_steps=lambda steps, timesteps: select_steps(
            times, steps, timesteps, events, modalities, regions
        ),
        times=times,
        mask=mask,
        events=events,
        corners=np.stack(np.divmod(np.arange(COUNT), 8), axis=1) * 1280.0,
        modalities=modalities,
        regions=regions,
        rows=lambda ids: np.array([int(name) for name in ids]),
    )


def make_split(parts: dict[str, range]) -> SimpleNamespace:
    return SimpleNamespace(part=lambda name: [str(n) for n in parts[name]])


SPLIT = make_split({"train": range(40), "val": range(40, 50), "test": range(50, 60)})


def test_a_leak_in_the_dates_that_are_read_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        (audit,) = audit_campaign(make_pack((5,)), [SPLIT], ("s1asc:VV",), 4, "even")
    assert audit.inputs == "4 even"
    assert audit.above_chance[0].auc == 1
    assert "WARNING" in caplog.text
    assert "The label leaks: annotated tiles of hokkaido" in caplog.text


@pytest.mark.parametrize(("places", "channel"), [((6,), "s1asc:VV"), ((5,), "s1dsc:VV")])
def test_dates_that_no_model_reads_do_not_leak(
    places: tuple[int, ...], channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        (audit,) = audit_campaign(make_pack(places), [SPLIT], (channel,), 4, "even")
    assert not audit.above_chance
    assert "WARNING" not in caplog.text
    assert "Leak audit of hokkaido at 4 even acquisitions" in caplog.text


def test_only_tiles_of_the_split_are_audited() -> None:
    some = make_split({"train": range(30), "val": range(10), "test": range(10)})
    (audit,) = audit_campaign(make_pack(()), [some], ("s1asc:VV",), 15, "even")
    assert (audit.tiles, audit.inputs) == (30, "all 15")
