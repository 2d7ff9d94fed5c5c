"""Campaigns whose processes are killed or interrupted: continued, they end as if nothing had been."""

from pathlib import Path

import pytest

from tests.faults import campaigns, interrupts, kills

pytestmark = pytest.mark.slow

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke"]


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use tiles that are there already."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


def test_killed_campaign_ends_as_the_undisturbed_one(tmp_path: Path) -> None:
    tally, wrong = kills.run(tmp_path, 3, seed=3, words=WORDS)
    assert wrong == []
    assert tally.kills  # a quick machine may end it before the third
    assert tally.lost <= 1


def test_ctrl_c_loses_no_epoch_and_a_second_process_is_refused(tmp_path: Path) -> None:
    assert interrupts.interrupt(tmp_path, 1, second=True)[1] == []
