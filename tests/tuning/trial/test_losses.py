import pytest

from tuning.trial.losses import BCE_DICE, LOSSES, check_loss, drop_ignored, list_weights
from tuning.trial.search_space import TRAINING, make_space


@pytest.mark.parametrize("loss", LOSSES)
def test_a_search_varies_what_the_loss_reads_alone(loss: str) -> None:
    searched = [name for name in make_space("unet", loss=loss) if name in TRAINING]
    assert searched == ["lr", "weight_decay", *LOSSES[loss]]
    assert list_weights({"loss": loss}) == LOSSES[loss]


def test_only_losses_with_cross_entropy_have_weights() -> None:
    weighted = [name for name, read in LOSSES.items() if read == ("bce_weight", "pos_weight")]
    assert weighted == ["bce_dice", "focal_dice"]
    assert [name for name, read in LOSSES.items() if not read] == [
        *("tversky", "focal_tversky", "lovasz"),
    ]


def test_without_a_name_the_loss_is_cross_entropy_and_dice() -> None:
    assert make_space("unet") == make_space("unet", loss=BCE_DICE)
    assert list_weights({}) == LOSSES[BCE_DICE]
    assert drop_ignored({"pos_weight": 2.0, "lr": 1.0}, "lovasz") == {"lr": 1.0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "lovas",
            r"Unknown loss 'lovas'\. Did you mean 'lovasz'\? Available: bce_dice, focal_dice, ",
        ),
        (["tversky"], r"Unknown loss \['tversky'\]"),
    ],
)
def test_unknown_losses_are_refused(name: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_loss(name)
