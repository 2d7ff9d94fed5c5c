import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tuning.baselines.baselines import BASELINES
from tuning.baselines.tune import Tried, draw_params, find_tried, pick_winner, search_params
from tuning.trial.search_space import LogUniform

FIRST = {"width": 3, "rate": 0.1}
SPACE = {"width": [1, 3, 5], "rate": LogUniform(0.01, 1.0)}


class Score:
    """Counts what it is asked, and prefers wide windows."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, params: Mapping[str, Any]) -> float:
        self.asked.append(dict(params))
        return float(params["width"] / 10)


def test_search_begins_with_the_known_values_and_stays_in_the_space(tmp_path: Path) -> None:
    tried = search_params(Score(), FIRST, SPACE, 6, 42, tmp_path / "a.json")
    assert len(tried) == 6
    assert tried[0].params == FIRST
    assert all(one.params["width"] in SPACE["width"] for one in tried)
    assert all(0.01 <= one.params["rate"] <= 1 for one in tried)
    assert len({json.dumps(one.params) for one in tried}) == 6
    assert pick_winner(tried).params["width"] == 5


def test_one_trial_takes_the_untuned_values(tmp_path: Path) -> None:
    tried = search_params(Score(), FIRST, SPACE, 1, 42, tmp_path / "a.json")
    assert [one.params for one in tried] == [FIRST]


def test_an_interrupted_search_goes_on_as_it_would_have(tmp_path: Path) -> None:
    whole = search_params(Score(), FIRST, SPACE, 6, 42, tmp_path / "whole.json")
    search_params(Score(), FIRST, SPACE, 3, 42, tmp_path / "cut.json")
    score = Score()
    assert search_params(score, FIRST, SPACE, 6, 42, tmp_path / "cut.json") == whole
    assert score.asked == [one.params for one in whole[3:]]
    again = Score()
    assert search_params(again, FIRST, SPACE, 6, 42, tmp_path / "cut.json") == whole
    assert not again.asked
    other = search_params(Score(), FIRST, SPACE, 6, 43, tmp_path / "other.json")
    assert other != whole


def test_a_search_is_over_when_its_samples_are_tried(tmp_path: Path) -> None:
    journal, small = tmp_path / "a.json", {"width": [1, 3, 5]}
    assert find_tried(SPACE, 3, 42, journal) is None
    tried = search_params(Score(), FIRST, SPACE, 3, 42, journal)
    assert find_tried(SPACE, 3, 42, journal) == tried
    assert find_tried(SPACE, 2, 42, journal) == tried[:2]
    assert find_tried(SPACE, 4, 42, journal) is None
    whole = search_params(Score(), {"width": 3}, small, 40, 42, tmp_path / "b.json")
    assert find_tried(small, 40, 42, tmp_path / "b.json") == whole  # a small space


def test_a_small_space_ends_when_all_of_it_is_tried(tmp_path: Path) -> None:
    score, space = Score(), {"width": [1, 3, 5], "side": ["a", "b"]}
    first = {"width": 3, "side": "b"}
    tried = search_params(score, first, space, 40, 42, tmp_path / "a.json")
    assert sorted(map(str, score.asked)) == sorted(
        str({"width": width, "side": side}) for width in (1, 3, 5) for side in "ab"
    )
    assert draw_params(space, tried, 42) is None


def test_the_first_of_equals_wins() -> None:
    tried = [Tried({"width": 1}, 0.2), Tried({"width": 3}, 0.4), Tried({"width": 5}, 0.4)]
    assert pick_winner(tried).params == {"width": 3}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"tried": 7},
        {"tried": [{"params": {"width": 3}, "val_pr_auc": 0.5}]},
        {"tried": [{"params": FIRST, "val_pr_auc": "high"}]},
        {"tried": [{"params": FIRST, "val_pr_auc": 2}]},
        {"tried": [7]},
    ],
)
def test_a_damaged_journal_is_refused(tmp_path: Path, content: object) -> None:
    journal = tmp_path / "a.json"
    journal.write_text(json.dumps(content))
    message = r"journal must list samples of width, rate .*a\.json.*Delete the file to search again"
    with pytest.raises(ValueError, match=message):
        search_params(Score(), FIRST, SPACE, 4, 42, journal)


def test_a_journal_with_a_changed_bit_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "a.json"
    tried = search_params(Score(), FIRST, SPACE, 2, 42, journal)
    assert search_params(Score(), FIRST, SPACE, 2, 42, journal) == tried
    content = json.loads(journal.read_text())
    content["tried"][0]["val_pr_auc"] += 0.1
    journal.write_text(json.dumps(content))
    message = r"a bit has changed in .*a\.json\. Delete the file to search again\. Check the disk"
    with pytest.raises(ValueError, match=message):
        search_params(Score(), FIRST, SPACE, 2, 42, journal)


def test_a_search_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs 1 sample or more, but got trials=0"):
        search_params(Score(), FIRST, SPACE, 0, 42, tmp_path / "a.json")


@pytest.mark.parametrize("key", BASELINES)
def test_every_baseline_has_its_first_sample_in_its_space(key: str) -> None:
    baseline = BASELINES[key]
    assert set(baseline.first) == set(baseline.space)
    for name, domain in baseline.space.items():
        value = baseline.first[name]
        if isinstance(domain, LogUniform):
            assert domain.low <= value <= domain.high
        else:
            assert value in domain
            assert len(domain) > 1
