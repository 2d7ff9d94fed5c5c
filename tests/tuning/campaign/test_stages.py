"""Search and repeat of several folds, with trials that are written instead of trained."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.splits import Split
from tests.support.settings import make_settings
from tuning.campaign import stages
from tuning.campaign.finish import _summarise_studies
from tuning.campaign.stages import Stages, name_search
from tuning.search.scope import make_scope
from tuning.settings.presets import get_preset
from tuning.trial.entry import list_trials, register_trial
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import make_key, make_space
from tuning.trial.stage import Stage

FOLDS = ("blocks:2/1", "blocks:2/2")
RATES = {"blocks:2/1": 1e-3, "blocks:2/2": 5e-3}  # the best of each fold
MODELS = ("attention_unet", "unet")
NO_GPU = SimpleNamespace(gpus=0)


class Sender:
    """Accepts everything; no network can be exported whose architecture is among *unexportable*."""

    unexportable: tuple[str, ...] = ()

    @property
    def tracker(self) -> SimpleNamespace:
        def lacks_model(folder: TrialFolder) -> bool:
            return folder.read("trial")["config"]["model"] in self.unexportable

        return SimpleNamespace(lacks_model=lacks_model)

    def collect(self, folder: TrialFolder) -> None: ...

    def forget(self, folder: TrialFolder) -> None: ...

    def send_all(self, folders: list[Path]) -> SimpleNamespace:
        return SimpleNamespace(unsent=0)


def make_stages(tmp_path: Path, search: str, **changes: object) -> Stages:
    splits = [
        Split(fold, (f"hokkaido_{n}",), (f"hokkaido_{n + 3}",), (f"hokkaido_{n + 6}",))
        for n, fold in enumerate(FOLDS, 1)
    ]
    settings = make_settings(split="blocks:2", search=search, models=MODELS, **changes)
    setup = SimpleNamespace(
        settings=settings,
        preset=get_preset("smoke"),
        splits=splits,
        scope=make_scope(splits, search),
        folder=tmp_path,
        trials=tmp_path / "trials",
        pack=SimpleNamespace(hash="0123456789ab", path=tmp_path / "pack"),
        sender=Sender(),
        refused={},
        space=lambda model: make_space(model, get_preset("smoke").narrow),
    )
    return Stages(setup)  # type: ignore[arg-type]


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages that were searched; each search finds its fold's best rate."""
    done: list[Stage] = []

    def run_search(
        model: str, space: Mapping[str, Any], stage: Stage, *rest: object
    ) -> list[Config]:
        done.append(stage)
        samples = [
            {"lr": rate, "arch.width": 8} for rate in (RATES[stage.job.fixed["split"]], 9e-3)
        ]
        for number, sample in enumerate(samples, 1):
            register_trial(stage, sample, number)
        return [stage.job.config(sample) for sample in samples]

    monkeypatch.setattr(stages, "run_search", run_search)
    monkeypatch.setattr(stages, "run_repeats", lambda configs, *rest: list(configs))
    return done


def test_each_fold_s_repeats_use_the_winner_of_its_own_search(
    tmp_path: Path, searched: list[Stage]
) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    winners = campaign.search_all(NO_GPU)  # type: ignore[arg-type]
    assert {(model, fold): config["lr"] for (model, fold), config in winners.items() if config} == {
        (model, fold): RATES[fold] for model in MODELS for fold in FOLDS
    }
    for stage in searched:
        assert stage.name.endswith(stage.job.fixed["split"].replace(":", "-").replace("/", "-"))
        assert stage.trials == 2  # the budget is per fold
    assert len({stage.name for stage in searched}) == len(searched) == 4
    repeats = campaign.repeat(winners, NO_GPU)  # type: ignore[arg-type]
    assert len(repeats) == 2 * 2 * 2
    assert all(config["lr"] == RATES[config["split"]] for config in repeats)


def test_one_search_gives_its_winner_to_every_fold(tmp_path: Path, searched: list[Stage]) -> None:
    campaign = make_stages(tmp_path, "once")
    winners = campaign.search_all(NO_GPU)  # type: ignore[arg-type]
    assert [stage.name for stage in searched] == ["search-attention_unet", "search-unet"]
    repeats = campaign.repeat(winners, NO_GPU)  # type: ignore[arg-type]
    assert {(config["split"], config["lr"]) for config in repeats} == {
        (fold, 1e-3) for fold in FOLDS
    }
    order = [(config["seed"], config["split"], config["model"]) for config in repeats]
    assert order == [
        (seed, fold, model) for seed in (42, 123) for fold in FOLDS for model in MODELS
    ]


def test_a_resumed_campaign_keeps_the_winners_of_the_folds_that_were_searched(
    tmp_path: Path, searched: list[Stage]
) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    campaign.search("unet", FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    before = list_trials(tmp_path / "trials").keys()
    searched.clear()  # here the process was killed
    winners = make_stages(tmp_path, "per-fold").search_all(NO_GPU)  # type: ignore[arg-type]
    assert "search-unet-blocks-2-1" not in [stage.name for stage in searched]
    assert len(searched) == 3
    assert (config := winners["unet", FOLDS[0]]) is not None
    assert config["lr"] == RATES[FOLDS[0]]
    assert before <= list_trials(tmp_path / "trials").keys()


def test_a_campaign_of_an_earlier_release_finds_its_trials(
    tmp_path: Path, searched: list[Stage]
) -> None:
    old = make_stages(tmp_path, "once")  # its settings name no seed of the search
    config = old.search("unet", FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    assert config is not None
    assert config["seed"] == 42
    assert (tmp_path / "trials" / make_key("search", config | {"seed": 42})).is_dir()
    new = make_stages(tmp_path, "once", search_seed=1968)
    assert (other := new.search("attention_unet", FOLDS[0], NO_GPU)) is not None  # type: ignore[arg-type]
    assert other["seed"] == 1968


def test_a_fold_whose_search_failed_is_named_and_the_others_are_repeated(
    tmp_path: Path, searched: list[Stage]
) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    winners = campaign.search_all(NO_GPU)  # type: ignore[arg-type]
    winners["unet", FOLDS[1]] = None
    repeats = campaign.repeat(winners, NO_GPU)  # type: ignore[arg-type]
    status, missing = _summarise_studies(campaign.setup, winners, repeats)
    assert status == {"attention_unet": "FINISHED", "unet": "FAILED"}
    assert missing == ["Every search trial of unet on the fold blocks:2/2 failed."]
    _, missing = _summarise_studies(campaign.setup, winners, repeats[1:])
    assert "1 of 4 repeat trials of attention_unet failed." in missing
    winners["unet", FOLDS[0]] = None
    assert (
        "Every search trial of unet failed." in _summarise_studies(campaign.setup, winners, [])[1]
    )
    assert campaign.repeat(dict.fromkeys(winners), NO_GPU) == []  # type: ignore[arg-type]


def test_names_of_searches_are_unique_and_safe_for_a_folder() -> None:
    folds = ["blocks:10/1", "blocks:10/10", "events:noto", "events:noto/5", "events:noto_2"]
    names = [name_search("unet", fold, 5) for fold in folds]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert name_search("unet", None, 5) == name_search("unet", "blocks", 1) == "search-unet"


def test_winner_that_could_not_be_exported_keeps_its_checkpoint(
    tmp_path: Path, searched: list[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_stages(tmp_path, "once")
    monkeypatch.setattr(Sender, "unexportable", ("unet",))
    for model in MODELS:
        campaign.search(model, FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    trials = [TrialFolder(path) for path in list_trials(tmp_path / "trials")]
    for folder in trials:
        folder.best.write_text("weights")
        folder.end("patience")
    for model in MODELS:  # again, as after --resume
        campaign.search(model, FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    kept = [folder.read("trial") for folder in trials if folder.best.exists()]
    assert [(trial["config"]["model"], trial["model"]) for trial in kept] == [("unet", True)]


def test_a_config_has_what_is_trained_with_only_where_it_is_not_the_usual(
    tmp_path: Path, searched: list[Stage]
) -> None:
    usual = make_stages(tmp_path, "once").search("unet", FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    variant = {
        "loss": "lovasz",
        "train_share": "compact:0.5",
        "label_noise": {"drop": 0.2, "seed": 1},
    }
    stages = make_stages(tmp_path, "once", **variant)
    other = stages.search("attention_unet", FOLDS[0], NO_GPU)  # type: ignore[arg-type]
    assert usual is not None
    assert other is not None
    assert variant.keys().isdisjoint(
        usual
    )  # the key of a trial of an earlier release is its key still
    assert {name: other[name] for name in variant} == variant
