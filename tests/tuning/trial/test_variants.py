"""What a campaign may train with: entries of a config, and the sentence about them."""

from tuning.trial.variants import (
    USUAL,
    describe_variant,
    make_variant,
    pick_data_entries,
    pick_measured_entries,
)


def test_the_usual_has_no_entry_so_that_keys_stay() -> None:
    assert make_variant() == {}
    assert make_variant("bce_dice", "1") == make_variant(label_noise={"drop": 0.0, "seed": 3}) == {}
    assert make_variant(train_share="compact:1") == {}
    assert describe_variant({}) == USUAL == "loss bce_dice, all train tiles, labels as they are"


def test_another_loss_is_an_entry_and_is_described() -> None:
    assert make_variant("tversky") == {"loss": "tversky"}
    assert (
        describe_variant({"loss": "tversky"}) == "loss tversky, all train tiles, labels as they are"
    )


def test_a_share_of_train_is_an_entry_that_baselines_have_too() -> None:
    entries = make_variant("tversky", "0.25")
    assert entries == {"loss": "tversky", "train_share": "scattered:0.25"}
    assert pick_data_entries(entries) == {"train_share": "scattered:0.25"}
    assert describe_variant(entries) == (
        "loss tversky, scattered:0.25 of train tiles, labels as they are"
    )


def test_label_noise_is_an_entry_that_baselines_have_too() -> None:
    entries = make_variant(label_noise={"drop": 0.2, "dilate": -1, "shift": 0.0, "seed": 1})
    assert entries == {"label_noise": {"drop": 0.2, "dilate": -1, "seed": 1}}
    assert pick_data_entries(entries) == entries
    assert describe_variant(entries) == (
        "loss bce_dice, all train tiles, with label noise drop=0.2 dilate=-1 seed=1"
    )


def test_a_replay_is_an_entry_of_every_model_only_where_it_is_wanted() -> None:
    assert make_variant(replay=False) == {}
    entries = make_variant(replay=True)
    assert entries == {"replay": True}
    assert pick_measured_entries(entries | {"loss": "tversky"}) == entries
    assert pick_data_entries(entries) == {}
    assert describe_variant(entries) == describe_variant({})  # it changes nothing that is trained
