"""What a campaign may train with: entries of a config, and the sentence about them."""

from tuning.trial.variants import USUAL, describe_variant, make_variant


def test_the_usual_has_no_entry_so_that_keys_stay() -> None:
    assert make_variant() == {}
    assert make_variant("bce_dice") == {}
    assert describe_variant({}) == USUAL == "loss bce_dice"


def test_another_loss_is_an_entry_and_is_described() -> None:
    assert make_variant("tversky") == {"loss": "tversky"}
    assert describe_variant({"loss": "tversky"}) == "loss tversky"
