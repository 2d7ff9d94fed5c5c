"""Networks that cannot be exported are not trained; the others are, and those with trials are not checked again."""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.settings import make_settings
from tuning.campaign import check_networks as module
from tuning.campaign.check_networks import check_networks, choose_first_arch, find_trained
from tuning.campaign.finish import _summarise_studies
from tuning.serving.preflight import UnservableError
from tuning.settings.saved_campaigns import campaign_folder
from tuning.trial.entry import register_trial
from tuning.trial.stage import Stage, StageJob

BAD = "attention_unet"
REASON = f"The network {BAD} must be exportable."


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Lists the checked networks with their arguments; one cannot be exported."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def check(model: str, arch: dict[str, Any], channels: Sequence[str], timesteps: int) -> int:
        calls.append((model, arch))
        if model == BAD:
            raise UnservableError(REASON)
        return 8

    monkeypatch.setattr(module, "check_network", check)
    module._check_once.cache_clear()
    return calls


def test_network_that_cannot_be_exported_is_named_and_the_others_go_on(
    tmp_path: Path, checked: list[tuple[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refused = check_networks(tmp_path, make_settings(models=(BAD, "unet")))
    assert refused == {BAD: REASON}
    assert [model for model, _ in checked] == [BAD, "unet"]
    assert f"{REASON} Not trained." in caplog.text
    assert "unet can be exported: tiles of multiples of 8 px" in caplog.text
    campaign: Any = SimpleNamespace(refused=refused, settings=make_settings())
    winner = {"model": "unet"}
    status, missing = _summarise_studies(campaign, {("unet", "blocks"): winner}, [winner] * 2)
    assert status == {BAD: "FAILED", "unet": "FINISHED"}
    assert missing == [REASON]


def test_campaigns_that_run_together_check_the_same_network_once(
    tmp_path: Path, checked: list[tuple[str, Any]]
) -> None:
    for loss in ("bce_dice", "lovasz"):
        check_networks(tmp_path, make_settings(models=("unet",), loss=loss))
    assert len(checked) == 1
    check_networks(tmp_path, make_settings(models=("unet",), timesteps=3))
    assert len(checked) == 2


def test_a_campaign_with_nothing_else_to_do_ends_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnservableError, match=REASON):
        check_networks(tmp_path, make_settings(models=(BAD,)))
    baseline = make_settings(models=(BAD,), baselines=("log_ratio_vv",))
    assert check_networks(tmp_path, baseline) == {BAD: REASON}


def test_the_network_that_the_search_tries_first_is_checked(
    tmp_path: Path, checked: list[tuple[str, Any]]
) -> None:
    check_networks(tmp_path, make_settings(models=("unet",), preset="smoke"))
    assert checked == [("unet", choose_first_arch("unet", "smoke"))]
    assert choose_first_arch("unet", "smoke")["width"] == 8  # the preset's, not the known good one
    assert choose_first_arch("unet", "paper")["width"] == 16


def test_architecture_with_a_complete_trial_is_not_checked_again(
    tmp_path: Path, checked: list[tuple[str, Any]]
) -> None:
    settings = make_settings(models=(BAD, "unet"))
    trials = campaign_folder(tmp_path, settings.campaign) / "trials"
    assert find_trained(trials) == set()
    for model, reason in (("unet", "patience"), (BAD, "error")):
        fixed = {"model": model, "seed": 1, "split": "blocks"}
        stage = Stage(f"search-{model}", StageJob("search", fixed, "", str(trials)), 1, 1)
        register_trial(stage, {"lr": 1e-3}, 1)
        folder = stage.job.folder({"lr": 1e-3})
        if model == "unet":
            assert find_trained(trials) == set()  # it has begun
        folder.end(reason)
    assert find_trained(trials) == {"unet"}
    assert check_networks(tmp_path, settings) == {BAD: REASON}
    assert [model for model, _ in checked] == [BAD]
