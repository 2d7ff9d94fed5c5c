"""Which versions are comparable, and the sentence that says why two are not."""

import pytest
from mlflow.entities.model_registry import ModelVersion

from tuning.registry.comparable import explain_incomparable, make_printable, version_rank

FACTS = {
    "data_hash": "0123456789ab",
    "split": "blocks",
    "split_hash": "b10c5b10c5b1",
    "channels": "s1asc:VV",
    "acquisitions": "4 even",
    "regions": "hokkaido noto",
}


def version(number: int, **tags: str) -> ModelVersion:
    made = ModelVersion("multi-unet", number, 0)
    made._tags = FACTS | tags
    return made


def test_versions_of_the_same_facts_are_comparable() -> None:
    assert explain_incomparable(version(1, preset="quick"), version(2, preset="paper")) == ""


def test_every_different_fact_is_named_with_both_values() -> None:
    other = version(2, acquisitions="15 all", regions="hokkaido italy", split_hash="5" * 12)
    assert explain_incomparable(other, version(1)) == (
        "Val AP of different splits, acquisitions and regions cannot be compared: multi-unet version 2 was measured on "
        "split blocks (555555555555), acquisitions 15 all, regions hokkaido italy; multi-unet version 1 on split blocks "
        "(b10c5b10c5b1), acquisitions 4 even, regions hokkaido noto."
    )


@pytest.mark.parametrize("tag", FACTS)
def test_a_missing_tag_is_named_on_either_side(tag: str) -> None:
    old = version(1)
    del old._tags[tag]
    for pair in ((old, version(2)), (version(2), old)):
        reason = explain_incomparable(*pair)
        assert reason.endswith(f"but multi-unet version 1 has no tag {tag}.")
    assert explain_incomparable(old, old)  # nor with itself


def test_a_tag_from_outside_is_shown_short_and_without_control_characters() -> None:
    reason = explain_incomparable(version(1, channels="VV\x1b[2J" + "x" * 5000), version(2))
    assert reason.isprintable()
    assert len(reason) < 600
    assert make_printable("4 even") == "4 even"


def test_rank_puts_length_first_then_score() -> None:
    ranked = [
        {"preset": "unknown", "val_pr_auc": "0.9"},
        {"preset": "smoke", "val_pr_auc": "0.9"},
        {"preset": "paper", "val_pr_auc": "0.2"},
        {"preset": "paper", "val_pr_auc": "0.3"},
    ]
    assert sorted(ranked, key=version_rank) == ranked
    with pytest.raises(ValueError, match="The tag val_pr_auc must be a number, but got 'high'"):
        version_rank({"val_pr_auc": "high"})
