"""Some scenarios of `python tests/faults`, which has more and takes half an hour."""

from pathlib import Path

import pytest

from tests.faults import bad_trials, campaigns, outage

pytestmark = [pytest.mark.slow, pytest.mark.file_s(350)]


@pytest.fixture(autouse=True)
def tiles(twin: Path, monkeypatch: pytest.MonkeyPatch, forked: None) -> None:
    """Use the existing tiles."""
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])


def test_results_can_be_replayed_after_the_tracker_failed(tmp_path: Path) -> None:
    replayed, faults = outage.stop_tracker(tmp_path)
    assert faults == []
    assert replayed.startswith("Sent ")


def test_faulty_networks_fail_alone_and_by_name(tmp_path: Path) -> None:
    assert bad_trials.run_bad_networks(tmp_path)[1] == []
