"""The scores that a map may expect: those of its threshold, with their interval, or unknown with a reason."""

import pytest

from tuning.registry.map_facts import describe_expected, flatten, format_expected
from tuning.registry.trust import Trust

TRUST = Trust("hokkaido-unet version 1", {}, scores={"precision": 0.61, "recall": 0.5})
EXPECTED = {
    "threshold": 0.3,
    "thresholds": [0.1, 0.3, 0.5],
    "precision": [[0.4, 0.3, 0.5], [0.6, 0.5, 0.7], [0.8, None, None]],
    "recall": [[0.9, 0.8, 1.0], [0.7, 0.6, 0.8], [0.5, 0.4, 0.6]],
}


@pytest.mark.parametrize(
    ("threshold", "text"),
    [
        (0.3, "Expected precision 0.60 (0.50 to 0.70), recall 0.70 (0.60 to 0.80). On the model's own test tiles"),
        (0.2, "Expected precision 0.50 (0.40 to 0.60), recall 0.80 (0.70 to 0.90)."),
        (0.5, "Expected precision 0.80, recall 0.50 (0.40 to 0.60)."),
        (0.9, "Expected precision and recall: unknown: the model was not measured at threshold 0.9."),
    ],
)  # fmt: skip
def test_scores_are_those_at_the_threshold(threshold: float, text: str) -> None:
    found = describe_expected(EXPECTED, threshold, TRUST, own=False, averaged=False)
    assert format_expected(found).startswith(text)


@pytest.mark.parametrize(
    ("own", "averaged", "note"),
    [
        (True, True, "Unknown: the average over networks or flips was not measured on test."),
        (False, False, "Unknown: the model was logged without its scores over thresholds."),
    ],
)
def test_what_nobody_measured_is_unknown(own: bool, averaged: bool, note: str) -> None:
    found = describe_expected(None, 0.4, TRUST, own=own, averaged=averaged)
    assert found["note"] == note
    assert found["recall"] == {"value": None, "low": None, "high": None}


def test_a_model_of_an_earlier_release_has_the_registry_s_scores_at_its_own_threshold() -> None:
    found = describe_expected(None, 0.4, TRUST, own=True, averaged=False)
    assert found["precision"] == {"value": 0.61, "low": None, "high": None}
    assert "without intervals" in found["note"]


def test_tags_are_flat_and_say_what_is_unknown() -> None:
    facts = {"version": 3, "trained_on": {"split": "blocks", "preset": None}}
    assert flatten(facts) == {
        "version": "3",
        "trained_on_split": "blocks",
        "trained_on_preset": "unknown",
    }


def test_with_few_acquisitions_the_scores_are_those_measured_with_as_few() -> None:
    few = {"threshold": 0.6, "precision": 0.5, "recall": 0.4}
    found = describe_expected(EXPECTED, 0.6, TRUST, own=True, averaged=False, few=few)
    assert format_expected(found).startswith("Expected precision 0.50, recall 0.40. On the model's")
    for other, threshold in (({}, 0.6), (few, 0.3)):
        unknown = describe_expected(EXPECTED, threshold, TRUST, own=True, averaged=False, few=other)
        assert unknown["note"] == (
            "Unknown: the model was measured with more acquisitions after the event."
        )
