"""Tests of `tuning.campaign.together`."""

from pathlib import Path

from tests.support.settings import make_settings
from tuning.campaign.together import Member, run_together


def test_an_error_of_one_campaign_does_not_end_the_others(tmp_path: Path) -> None:
    settings = [make_settings(campaign=name, data=str(tmp_path / name)) for name in ("a", "b")]
    outcomes = run_together(tmp_path / "out", [Member(one) for one in settings])
    assert list(outcomes) == ["a", "b"]
    assert all(isinstance(outcome, str) for outcome in outcomes.values())
