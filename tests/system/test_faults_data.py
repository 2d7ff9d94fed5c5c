"""Campaigns whose data change behind their back: they end with the scores of their own tiles, or are refused by name."""

from pathlib import Path

import pytest

from tests.faults import data_changes

pytestmark = pytest.mark.slow


def test_killed_readers_leave_no_tile_out(tmp_path: Path, twin: Path) -> None:
    assert data_changes.kill_readers(tmp_path, twin)[1] == []


def test_changed_labels_and_flipped_bits_change_no_score(tmp_path: Path, twin: Path) -> None:
    assert data_changes.change_data(tmp_path, twin)[1] == []
