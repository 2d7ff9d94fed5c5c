"""Campaigns broken as `python tests/faults` breaks them; it has more, and takes half an hour."""

from pathlib import Path

import pytest

from tests.faults import bad_trials, campaigns, disks, outage

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use tiles that are there already."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


def test_tracker_gone_for_good_costs_nothing_but_a_replay(tmp_path: Path) -> None:
    replayed, wrong = outage.stay_away(tmp_path)
    assert wrong == []
    assert replayed.startswith("Sent ")


def test_bad_trials_fail_alone_and_by_name(tmp_path: Path) -> None:
    assert bad_trials.misbehave(tmp_path)[1] == []


def test_full_disk_is_said_and_loses_no_result(tmp_path: Path) -> None:
    try:
        assert disks.run_full(tmp_path)[1] == []
    except PermissionError as error:
        pytest.skip(str(error))
