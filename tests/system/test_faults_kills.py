"""Campaigns whose processes are killed or interrupted, or whose disk becomes full: a resume completes them."""

from pathlib import Path

import pytest

from tests.faults import campaigns, disks, interrupts, kills
from tests.faults.campaigns import Command

pytestmark = [pytest.mark.slow, pytest.mark.file_s(400)]


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch, forked: None) -> None:
    """Use the existing tiles."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


def test_killed_campaign_ends_as_the_undisturbed_one(tmp_path: Path, calm: Command) -> None:
    counts, faults = kills.run(calm, tmp_path / "stormy", 3, seed=3)
    assert faults == []
    assert counts.kills  # a fast machine may finish before the third kill
    assert counts.lost <= 1


def test_ctrl_c_and_a_full_disk_lose_no_epoch_and_a_second_process_is_refused(
    tmp_path: Path,
) -> None:
    try:
        assert disks.fill_disk(tmp_path, interrupted=True)[1] == []
    except PermissionError as error:
        assert interrupts.interrupt(tmp_path, 1, second=True)[1] == []
        pytest.skip(str(error))
