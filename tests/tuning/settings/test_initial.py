"""``--init`` in the settings of a campaign."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.settings import make_settings
from tuning.settings.arguments import parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.saved_campaigns import load_settings, save_settings
from tuning.settings.settings import check_settings, list_variant

INIT = {
    "digest": "0123456789ab",
    "model": "unet",
    "origin": "hokkaido-unet version 1",
    "regions": "hokkaido",
}


def test_a_campaign_keeps_the_weights_that_it_starts_from(tmp_path: Path) -> None:
    settings = make_settings(init=INIT)
    save_settings(tmp_path, settings)
    assert load_settings(tmp_path, settings.campaign) == settings
    assert list_variant(settings) == {"init": "0123456789ab"}


def test_random_weights_have_no_entry() -> None:
    assert list_variant(make_settings()) == {}


def test_a_resumed_campaign_has_its_own_weights(tmp_path: Path) -> None:
    save_settings(tmp_path, make_settings(init=INIT))
    options = vars(parse_arguments(["--resume", "first", "--init", "best.pt"]))
    with pytest.raises(ValueError, match=r"--resume .* but also got --init\. Omit"):
        settings_from_options(options, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"init": INIT, "models": ("unet", "attention_unet", "utae")},
            r"trainings of one architecture, here unet, .* trains attention_unet, utae\. Choose",
        ),
        (
            {"init": INIT, "models": (), "baselines": ("log_ratio_vv",)},
            r"trains no network\. Choose --model unet, with baselines if you like",
        ),
        (
            {"init": {"digest": "0123456789ab"}},
            r"need digest, model, origin, regions, but got digest\.",
        ),
        ({"init": INIT | {"digest": "../../../a"}}, r"Weights to start from need digest, "),
    ],
)
def test_other_architectures_and_edited_settings_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(make_settings(**changes))
