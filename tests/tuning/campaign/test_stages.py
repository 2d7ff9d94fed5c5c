"""Search and repeat of several folds, with trials that are written instead of trained."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from data.splits import Split
from tests.support.settings import make_settings
from tuning.campaign.finish import _summarise_studies
from tuning.campaign.stages import Stages, name_search
from tuning.cluster.resources import Resources
from tuning.search.scope import make_scope
from tuning.settings.presets import get_preset
from tuning.trial.entry import list_entries, list_trials, register_trial
from tuning.trial.folder import VAL_AP, TrialFolder
from tuning.trial.search_space import make_key, make_space
from tuning.trial.stage import Stage

FOLDS = ("blocks:2/1", "blocks:2/2")
RATES = {"blocks:2/1": 1e-3, "blocks:2/2": 5e-3}  # the best of each fold
MODELS = ("attention_unet", "unet")
NO_GPU = Resources(1, 0)


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

    def submit(self, folder: TrialFolder) -> None: ...

    def send_all(self, folders: list[Path]) -> SimpleNamespace:
        return SimpleNamespace(unsent=0)


def make_stages(
    tmp_path: Path, search: str, searched_in: Stages | None = None, **changes: object
) -> Stages:
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
        space=lambda model: make_space(model, get_preset("smoke").narrow, loss=settings.loss),
    )
    return Stages(setup, searched_in)  # type: ignore[arg-type]


def search(campaign: Stages) -> list[Stage]:
    """Run the searches that have not chosen: each finds its fold's best rate. Return their stages."""
    work = campaign.open(NO_GPU)
    for one in work.searches:
        write_trials(one.stage)
        one.choose()
    return [one.stage for one in work.searches]


def write_trials(stage: Stage) -> None:
    rates = (RATES[stage.job.fixed["split"]], 9e-3)
    for number, (rate, score) in enumerate(zip(rates, (0.5, 0.4), strict=True), 1):
        sample = {"lr": rate, "arch.width": 8}
        register_trial(stage, sample, number)
        folder = stage.job.folder(sample)
        folder.append({"epoch": 1, VAL_AP: score})
        folder.write_counts("val", np.array([[1, 0, 0, 0], [0, 0, 0, 1]]))
        folder.end("last epoch")


def test_each_fold_s_repeats_use_the_winner_of_its_own_search(tmp_path: Path) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    searched = search(campaign)
    winners = campaign.list_winners()
    assert {(model, fold): config["lr"] for (model, fold), config in winners.items() if config} == {
        (model, fold): RATES[fold] for model in MODELS for fold in FOLDS
    }
    for stage in searched:
        assert stage.name.endswith(stage.job.fixed["split"].replace(":", "-").replace("/", "-"))
        assert stage.trials == 2  # the budget is per fold
    assert len({stage.name for stage in searched}) == len(searched) == 4
    repeats = campaign.list_repeats()
    assert len(repeats) == campaign.open(NO_GPU).repeat.trials == 2 * 2 * 2
    assert all(config["lr"] == RATES[config["split"]] for config in repeats)


def test_one_search_gives_its_winner_to_every_fold(tmp_path: Path) -> None:
    campaign = make_stages(tmp_path, "once")
    assert campaign.list_repeats() == []  # before any choice
    searched = search(campaign)
    assert [stage.name for stage in searched] == ["search-attention_unet", "search-unet"]
    repeats = campaign.list_repeats()
    assert {(config["split"], config["lr"]) for config in repeats} == {
        (fold, 1e-3) for fold in FOLDS
    }
    order = [(config["seed"], config["split"], config["model"]) for config in repeats]
    assert order == [
        (seed, fold, model) for seed in (42, 123) for fold in FOLDS for model in MODELS
    ]


def test_a_resumed_campaign_keeps_the_winners_of_the_folds_that_were_searched(
    tmp_path: Path,
) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    one = next(w for w in campaign.open(NO_GPU).searches if w.model == "unet")
    write_trials(one.stage)
    one.choose()
    before = list_trials(tmp_path / "trials").keys()
    again = make_stages(tmp_path, "per-fold")  # here the process was killed
    searched = search(again)
    assert "search-unet-blocks-2-1" not in [stage.name for stage in searched]
    assert len(searched) == 3
    assert (config := again.list_winners()["unet", FOLDS[0]]) is not None
    assert config["lr"] == RATES[FOLDS[0]]
    assert before <= list_trials(tmp_path / "trials").keys()


def test_a_campaign_of_an_earlier_release_finds_its_trials(tmp_path: Path) -> None:
    old = make_stages(tmp_path, "once")  # its settings name no seed of the search
    search(old)
    config = old.list_winners()["unet", FOLDS[0]]
    assert config is not None
    assert config["seed"] == 42
    assert (tmp_path / "trials" / make_key("search", config | {"seed": 42})).is_dir()
    new = make_stages(tmp_path / "new", "once", search_seed=1968)
    search(new)
    assert (other := new.list_winners()["attention_unet", FOLDS[0]]) is not None
    assert other["seed"] == 1968


def test_a_campaign_is_done_when_every_search_has_chosen_and_every_repeat_has_its_result(
    tmp_path: Path,
) -> None:
    campaign = make_stages(tmp_path / "source", "once")
    cell = make_stages(tmp_path / "cell", "once", loss="lovasz", searched_in=campaign)
    assert not campaign.is_done()
    search(campaign)
    assert not campaign.is_done()
    for one in (campaign, cell):
        for config in one.list_repeats():
            assert not one.is_done()
            folder = TrialFolder(one.setup.trials / make_key("repeat", config))
            folder.end("last epoch")
            folder.write("test", {"pr_auc": 0.5})
    assert campaign.is_done()
    assert cell.is_done()
    again = make_stages(tmp_path / "source", "once")  # in another process
    assert again.is_done()
    assert again.list_winners() == campaign.list_winners()


def test_a_fold_whose_search_failed_is_named_and_the_others_are_repeated(tmp_path: Path) -> None:
    campaign = make_stages(tmp_path, "per-fold")
    for one in campaign.open(NO_GPU).searches:
        if not (one.model == "unet" and one.stage.job.fixed["split"] == FOLDS[1]):
            write_trials(one.stage)
        one.choose()  # without trials, nothing is chosen
    winners, repeats = campaign.list_winners(), campaign.list_repeats()
    assert winners["unet", FOLDS[1]] is None
    assert not campaign.is_done()  # it is searched once more
    status, missing = _summarise_studies(campaign.setup, winners, repeats)
    assert status == {"attention_unet": "FINISHED", "unet": "FAILED"}
    assert missing == ["Every search trial of unet on the fold blocks:2/2 failed."]
    _, missing = _summarise_studies(campaign.setup, winners, repeats[1:])
    assert "1 of 4 repeat trials of attention_unet failed." in missing
    winners["unet", FOLDS[0]] = None
    assert (
        "Every search trial of unet failed." in _summarise_studies(campaign.setup, winners, [])[1]
    )


def test_a_campaign_takes_the_hyperparameters_that_another_one_searched(tmp_path: Path) -> None:
    source = make_stages(tmp_path / "source", "once")
    cell = make_stages(tmp_path / "cell", "once", loss="lovasz", searched_in=source)
    assert cell.open(NO_GPU).searches == []
    assert cell.list_repeats() == []  # the other has not chosen
    search(source)
    repeats = cell.list_repeats()
    assert {config["lr"] for config in repeats} == {1e-3}
    assert {config["loss"] for config in repeats} == {"lovasz"}
    assert not any("bce_weight" in config for config in repeats)  # which this loss does not read
    assert len(repeats) == len(source.list_repeats())


def test_the_winner_keeps_its_checkpoint_until_mlflow_has_its_model(tmp_path: Path) -> None:
    campaign = make_stages(tmp_path, "once")
    searches = campaign.open(NO_GPU).searches
    for one in searches:
        write_trials(one.stage)
        for path in list_entries(one.stage):
            (path / "best.pt").write_bytes(b"weights")
        one.choose()
    assert len([*(tmp_path / "trials").glob("*/best.pt")]) == len(MODELS)  # of the winners alone
    type(campaign.setup.sender).unexportable = ("unet",)
    campaign.winners.send()
    (kept,) = (tmp_path / "trials").glob("*/best.pt")
    assert TrialFolder(kept.parent).read("trial")["config"]["model"] == "unet"
    type(campaign.setup.sender).unexportable = ()


def test_names_of_searches_are_unique_and_safe_for_a_folder() -> None:
    folds = ["blocks:10/1", "blocks:10/10", "events:noto", "events:noto/5", "events:noto_2"]
    names = [name_search("unet", fold, 5) for fold in folds]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert name_search("unet", None, 5) == name_search("unet", "blocks", 1) == "search-unet"


def test_a_config_has_what_is_trained_with_only_where_it_is_not_the_usual(tmp_path: Path) -> None:
    variant = {
        "loss": "lovasz",
        "train_share": "compact:0.5",
        "label_noise": {"drop": 0.2, "seed": 1},
    }
    usual, other = (
        make_stages(tmp_path, "once", **changes).open(NO_GPU).searches[0].stage.job.fixed
        for changes in ({}, variant)
    )
    # The key of a trial of an earlier release is its key still.
    assert variant.keys().isdisjoint(usual)
    assert {name: other[name] for name in variant} == variant
