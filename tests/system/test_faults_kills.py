"""Campaigns whose processes are killed or interrupted: after a resume their results equal undisturbed ones."""

from pathlib import Path

import pytest

from tests.faults import campaigns, interrupts, kills
from tests.faults.campaigns import Command

pytestmark = [pytest.mark.slow, pytest.mark.file_s(400)]


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the existing tiles."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


def test_killed_campaign_ends_as_the_undisturbed_one(tmp_path: Path, calm: Command) -> None:
    counts, faults = kills.run(calm, tmp_path / "stormy", 3, seed=3)
    assert faults == []
    assert counts.kills  # a fast machine may finish before the third kill
    assert counts.lost <= 1


def test_ctrl_c_loses_no_epoch_and_a_second_process_is_refused(tmp_path: Path) -> None:
    assert interrupts.interrupt(tmp_path, 1, second=True)[1] == []
