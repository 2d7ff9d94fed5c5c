"""A matrix that is killed twice at random ends as if nothing had happened."""

from pathlib import Path

import pytest

from tests.faults import campaigns
from tests.faults.campaigns import Command
from tests.faults.matrices import kill_matrix

pytestmark = [pytest.mark.slow, pytest.mark.file_s(230)]


def test_a_matrix_that_is_killed_twice_equals_an_undisturbed_one(
    tmp_path: Path, calm: Command, twin: Path, forked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])
    counts, faults = kill_matrix(calm, tmp_path / "matrix", kills=2, seed=5)
    assert faults == [], counts
