"""Campaigns whose data change behind their back: they end with the scores of their own tiles, or are refused by name."""

from pathlib import Path

import pytest

from tests.faults import data_changes
from tests.faults.campaigns import Command

pytestmark = pytest.mark.slow


def test_killed_readers_changed_labels_and_flipped_bits_change_no_score(
    tmp_path: Path, twin: Path, forked: None
) -> None:
    killed, changed = tmp_path / "killed", tmp_path / "changed"
    assert data_changes.kill_readers(killed, twin)[1] == []
    calm = Command(killed / "mlruns", [])
    assert data_changes.change_data(changed, twin, calm)[1] == []
