"""The registry on real logged networks: tags of a version, its gate, and the commands."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient
from torch import nn

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.dataset import TileDataset
from data.splits import Split
from tuning.page.html import Table
from tuning.registry.__main__ import main
from tuning.registry.aliases import (
    BEST,
    CHAMPION,
    CONSIDERED,
    list_model_versions,
)
from tuning.registry.champion_history import HISTORY, read_history
from tuning.registry.gate import CHECKS, MAX_ALARMS, MIN_LOSS
from tuning.registry.gate_file import write_gate_tiles
from tuning.registry.model_card import (
    CARD_TAGS,
    GATE_TAG,
    LICENCES,
    PASSED,
    describe_source,
    make_card,
    make_tags,
)
from tuning.registry.register import REGISTERED, NotRegisteredError, register_version
from tuning.report.ranking import Ranking, rank_models
from tuning.report.reference_layers import write_reference_layers
from tuning.report.register_models import build_models_section, register_models
from tuning.report.results import read_results
from tuning.report.tables import make_model_row
from tuning.store.lease import lock_registry
from tuning.tracking.client import connect, find_runs
from tuning.tracking.load_trials import read_trials
from tuning.tracking.model_digest import DIGEST
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import count_dataset, measure_test
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[3]
UNET = "hokkaido-unet"


@torch.no_grad()
def teach(model: nn.Module, gain: float) -> None:
    """Make a U-Net of width 4 and depth 2 answer the smoothed change from the first date to the last."""
    for parameter in model.parameters():
        parameter.zero_()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            nn.init.ones_(layer.weight)
    first, second = model.encoder.blocks[0][0], model.encoder.blocks[0][3]
    for channel in range(len(SAR_CHANNELS)):  # variable-major: before at 2 c, after at 2 c + 1
        first.weight[0, 2 * channel] = -1 / 36
        first.weight[0, 2 * channel + 1] = 1 / 36
    second.weight[0, 0, 1, 1] = 1
    last = model.decoder.blocks[-1]
    last[0].weight[0, -4, 1, 1] = (
        1  # the first map of the skip, which lies behind the upsampled ones
    )
    last[3].weight[0, 0, 1, 1] = 1
    model.decoder.head.weight[0, 0] = gain
    model.decoder.head.bias.fill_(-0.3 * gain)


def calm(pack: Pack) -> Pack:
    """Return the tiles without seasons before the event: until then each shows its first image."""
    bands = {name: np.array(values) for name, values in pack.bands.items()}
    for index, values in enumerate(bands.values()):
        for row, event in enumerate(pack.events):
            early = np.flatnonzero(pack.times[row, index] <= event)
            values[row, early] = values[row, 0]
    return replace(pack, bands=bands)


def log_campaign(
    root: Path, name: str, config: Config, pack: Pack, split: Split, gain: float | None
) -> Run:
    """Log a campaign of one run, as the driver does; a *gain* replaces what the network learnt."""
    tracker = Tracker(
        root,
        CampaignContext(
            *(name, "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even", "c"),
            regions="hokkaido noto",
        ),
    )
    campaign = tracker.open_run("campaign", "campaign", name)
    folder = root / name
    fit(config | {"epochs": 1}, pack, folder, lambda row: None, device=CPU)
    if gain is not None:
        checkpoint, saved = load_checkpoint(folder / "best.pt"), torch.load(folder / "best.pt")
        teach(checkpoint.model, gain)
        torch.save(saved | {"model": checkpoint.model.state_dict()}, folder / "best.pt")
        val = TileDataset(pack, split.val, checkpoint.norm, 2, CPU)
        TrialFolder(folder).write_counts("val", count_dataset(checkpoint.model, val)[0])
    measure_test(TrialFolder(folder), pack, split, CPU)
    gate = write_gate_tiles(calm(pack), split.val, config["channels"], 2, "even", folder)
    for file in (write_reference_layers(pack, split.test, folder), *gate):
        tracker.client.log_artifact(campaign, str(file))
    tags = {"study": "unet", "stage": "repeat", "seed": "42", "fold": "blocks"}
    run_id = tracker.open_run("trial", f"{name}-42", f"unet {name}", campaign, tags)
    tracker.finish(run_id, TrialFolder(folder), "last epoch")
    return tracker.client.get_run(campaign)


def rank_campaign(client: MlflowClient, campaign: Run) -> tuple[Ranking, pd.DataFrame]:
    trials = read_trials(client, campaign.info.experiment_id, campaign.data.tags["campaign"])
    results = read_results(client, campaign, trials.repeats)
    assert results is not None
    ranking = rank_models(results.models, results.layers)
    return ranking, pd.DataFrame([make_model_row(model, ranking) for model in ranking.models])


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory, base_config: Config, pack: Pack, split: Split
) -> Path:
    """A database with the campaign of a network that sees change, and of an untrained one."""
    root = tmp_path_factory.mktemp("mlruns")
    log_campaign(root, "good", base_config, pack, split, 12.0)
    log_campaign(root, "poor", base_config, pack, split, None)
    return root


@pytest.fixture
def client(root: Path) -> MlflowClient:
    return connect(root)[0]


def find_campaign(client: MlflowClient, root: Path, name: str) -> Run:
    (run,) = find_runs(client, connect(root)[1], kind="campaign", campaign=name)
    return run


def report(client: MlflowClient, root: Path, name: str) -> ModelVersion:
    """Register a campaign's models, as its report does; return the U-Net's version."""
    run = find_campaign(client, root, name)
    ranking, table = rank_campaign(client, run)
    register_models(client, ranking, table, run, root)
    (version,) = list_model_versions(client, UNET, f" and tags.run_id = '{table['run_id'][0]}'")
    return client.get_model_version(UNET, str(version.version))


@pytest.fixture
def good(client: MlflowClient, root: Path) -> ModelVersion:
    return report(client, root, "good")


@pytest.fixture
def poor(client: MlflowClient, root: Path, good: ModelVersion) -> ModelVersion:
    return report(client, root, "poor")


@pytest.fixture
def forget(client: MlflowClient, good: ModelVersion) -> Iterator[ModelVersion]:
    """The good version as after a kill right after its registration; restored after the test."""
    for tag in (GATE_TAG, *(f"{GATE_TAG}_{name}" for name in CHECKS), CONSIDERED):
        client.delete_model_version_tag(UNET, str(good.version), tag)
    for alias in client.get_registered_model(UNET).aliases:
        client.delete_registered_model_alias(UNET, alias)
    yield client.get_model_version(UNET, str(good.version))
    client.delete_registered_model_tag(UNET, HISTORY)


def aliases(client: MlflowClient) -> dict[str, int]:
    return {name: int(of) for name, of in client.get_registered_model(UNET).aliases.items()}


def test_network_that_detects_change_becomes_champion(
    client: MlflowClient, good: ModelVersion
) -> None:
    assert good.tags[GATE_TAG] == PASSED
    assert float(good.tags["gate_flips"]) > 0.99
    assert float(good.tags["gate_direction"]) > 0.01
    assert float(good.tags["gate_no_change"]) == 0
    assert float(good.tags["gate_placebo"]) < MAX_ALARMS
    assert float(good.tags["gate_time"]) > MIN_LOSS
    assert aliases(client) == {CHAMPION: int(good.version), BEST: int(good.version)}


def test_version_has_its_provenance(client: MlflowClient, good: ModelVersion) -> None:
    assert {*CARD_TAGS, "data_source", "licence", "run_id", "f1_at_0.5", CONSIDERED} <= set(
        good.tags
    )
    assert good.tags["campaign"] == "good"
    assert good.tags["seed"] == "42"
    low, mean, high = (float(good.tags[f"pr_auc_{name}"]) for name in ("low", "mean", "high"))
    assert low <= mean <= high
    assert "synthetic twin" in good.tags["data_source"]
    assert "CC BY 4.0" in good.tags["licence"]
    assert "Apache-2.0" in good.tags["licence"]


def test_version_names_the_regions_of_its_train_tiles_not_all_of_its_campaign(
    client: MlflowClient, root: Path, good: ModelVersion
) -> None:
    assert find_campaign(client, root, "good").data.tags["regions"] == "hokkaido noto"
    assert (good.name, good.tags["regions"]) == (UNET, "hokkaido")
    assert good.tags["data_source"].startswith("synthetic twin of Sen12Landslides, hokkaido;")
    assert "Sen12Landslides, hokkaido;" in good.description


def test_version_has_a_card(client: MlflowClient, good: ModelVersion) -> None:
    card = good.description
    assert card.startswith("# VanillaUNet\n")
    assert f"{float(good.tags['pr_auc_mean']):.3f}, 95 % interval" in card
    assert "Synthetic data: these scores say nothing about a real place." in card
    assert "- passed: A flipped input should yield the flipped map" in card
    assert f'load_model("models:/{UNET}/{good.version}")' in card
    assert "`champion`: best on val" in client.get_registered_model(UNET).description


def test_barely_trained_network_gets_no_alias_and_a_warning(
    client: MlflowClient, root: Path, good: ModelVersion, caplog: pytest.LogCaptureFixture
) -> None:
    poor = report(client, root, "poor")
    assert poor.tags[GATE_TAG] == "failed: flips, no_change, placebo, time"
    assert f"Not promoted: {UNET} version {poor.version}: its gate failed: flips" in caplog.text
    assert "- **failed**: A time series without change" in poor.description
    assert aliases(client) == {CHAMPION: int(good.version), BEST: int(good.version)}


def test_second_report_changes_nothing(
    client: MlflowClient, root: Path, good: ModelVersion, poor: ModelVersion
) -> None:
    def state() -> list[object]:
        versions = list_model_versions(client, UNET)
        return [aliases(client), read_history(client, UNET), [dict(v.tags) for v in versions]]

    before = state()
    assert len(list_model_versions(client, UNET)) == 2
    for name in ("poor", "good"):
        report(client, root, name)
    assert state() == before


def test_version_whose_report_was_killed_is_considered_by_the_next(
    client: MlflowClient, root: Path, forget: ModelVersion
) -> None:
    assert GATE_TAG not in forget.tags
    again = report(client, root, "good")
    assert again.version == forget.version
    assert again.tags[GATE_TAG] == PASSED
    assert aliases(client) == {CHAMPION: int(forget.version), BEST: int(forget.version)}


def test_version_without_gate_tiles_is_named_and_the_report_goes_on(
    client: MlflowClient, root: Path, forget: ModelVersion, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = find_campaign(client, root, "good")
    bare = client.create_run(campaign.info.experiment_id, tags={"campaign": "old"})
    register_models(client, *rank_campaign(client, campaign), bare, root)
    assert f"Not promoted: {UNET} version {forget.version}. A gate needs gate.npz" in caplog.text
    assert "campaign 'old' has none. `python -m tuning.run --resume old` adds it." in caplog.text
    assert GATE_TAG not in client.get_model_version(UNET, str(forget.version)).tags
    assert aliases(client) == {}


def test_version_of_an_earlier_release_gains_what_it_lacks(
    client: MlflowClient, root: Path, good: ModelVersion
) -> None:
    client.delete_model_version_tag(UNET, str(good.version), "licence")
    assert report(client, root, "good").tags["licence"] == LICENCES["synthetic"]


def test_version_repeats_the_digest_of_its_model(client: MlflowClient, good: ModelVersion) -> None:
    logged = client.get_logged_model(good.source.removeprefix("models:/"))
    if DIGEST not in logged.tags:
        client.set_logged_model_tags(logged.model_id, {DIGEST: "0" * 64})
    digest = client.get_logged_model(logged.model_id).tags[DIGEST]
    number = register_version(client, "copy", good.source, good.run_id, good.tags)
    assert client.get_model_version("hokkaido-copy", str(number)).tags[DIGEST] == digest


def test_tags_tell_real_data_from_the_twin_s(good: ModelVersion) -> None:
    row = {"data": "real", "f1@0.5_mean": 0.25, "weights_path": "models:/m-1"}
    tags = make_tags(row, ("italy",))
    assert tags == {
        "data": "real",
        "f1_at_0.5_mean": "0.25",
        "licence": LICENCES["real"],
        "data_source": describe_source("real", ["italy"]),
        "regions": "italy",
    }
    assert tags["data_source"] == (
        "Sen12Landslides, italy (Höhn et al. 2025, doi 10.1038/s41597-025-06167-2)"
    )
    card = make_card(UNET, 3, {**good.tags, "data": "real"})
    assert "Synthetic" not in card
    assert "Not run yet." in card


def call(root: Path, *words: str) -> int:
    return main([*words, "--root", str(root)])


@pytest.mark.parametrize("word", ["unet", "VanillaUNet", UNET])
def test_promote_runs_a_gate_that_has_not_run(
    client: MlflowClient,
    root: Path,
    forget: ModelVersion,
    word: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(root, "promote", word, str(forget.version)) == 0
    output = capsys.readouterr().out
    assert output == f"{UNET} version {forget.version} is the champion now.\n"
    found = client.get_model_version(UNET, str(forget.version))
    assert found.tags[GATE_TAG] == PASSED
    assert CONSIDERED in found.tags
    assert aliases(client) == {CHAMPION: int(found.version), BEST: int(found.version)}


def test_promote_refuses_a_version_that_failed(
    client: MlflowClient, root: Path, poor: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    before = aliases(client)
    assert call(root, "promote", "unet", str(poor.version)) == 1
    error = capsys.readouterr().err
    assert (
        f"must have passed its gate, but {UNET} version {poor.version} has 'failed: flips" in error
    )
    assert aliases(client) == before


def test_promote_refuses_a_version_without_gate_tiles(
    client: MlflowClient, root: Path, good: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = {name: good.tags[name] for name in CARD_TAGS}
    client.create_registered_model("hokkaido-odd")
    for some in ({}, tags | {"campaign": "gone"}, tags):
        client.create_model_version("hokkaido-odd", "file:///nowhere", tags=some)
    assert call(root, "promote", "odd", "1") == 1
    assert "that a report registered, but hokkaido-odd version 1 lacks" in capsys.readouterr().err
    assert call(root, "promote", "odd", "2") == 1
    assert "campaign, but MLflow has none of 'gone'" in capsys.readouterr().err
    assert call(root, "promote", "odd", "3") == 1  # its model cannot be loaded
    assert capsys.readouterr().err.startswith("error: ")
    assert client.get_registered_model("hokkaido-odd").aliases == {}


def test_commands_list_models_and_versions(
    root: Path, good: ModelVersion, poor: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(root, "promote", "VanilaUNet", "1") == 1
    error = capsys.readouterr().err
    assert "Unknown registered model 'VanilaUNet'. Did you mean 'VanillaUNet'?" in error
    assert UNET in error
    assert call(root, "rollback", "attention_unet") == 1
    assert "Unknown registered model 'attention_unet'." in capsys.readouterr().err
    for word in ("7", "one"):
        assert call(root, "promote", "unet", word) == 1
        error = capsys.readouterr().err
        assert f"Unknown version of {UNET} '{word}'." in error
        assert "Available: 1, 2." in error


def test_rollback_without_an_earlier_champion_is_refused(
    client: MlflowClient, root: Path, good: ModelVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(root, "rollback", "unet") == 1
    assert f"earlier champion that passed its gate, but {UNET} has none" in capsys.readouterr().err
    assert aliases(client)[CHAMPION] == int(good.version)


@pytest.mark.slow
def test_list_is_a_table_in_a_process_of_its_own(
    root: Path, good: ModelVersion, poor: ModelVersion
) -> None:
    ask = [sys.executable, "-m", "tuning.registry", "list", "--root", str(root)]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["model", "version", "aliases"]
    mine = [line for line in lines if line.startswith(f"{UNET} ")]
    assert len(mine) == 2
    area = "{pr_auc_mean:.3f} ({pr_auc_low:.3f} to {pr_auc_high:.3f})"
    numbers = {key: float(text) for key, text in good.tags.items() if key.startswith("pr_auc_")}
    for words in ("best, champion", area.format(**numbers), "synthetic", "blocks", "good", PASSED):
        assert words in mine[0]
    assert "failed: flips, no_change" in mine[1]
    assert mine[1].split()[2] == "-"


def test_look_at_a_folder_without_a_registry_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["list"], ["promote", "unet", "1"], ["rollback", "unet"]):
        assert call(tmp_path / "typo", *words) == 2
        assert "must hold a campaign's database mlflow.db, but" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_commands_name_a_tracker_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert call(tmp_path, "list") == 1
    assert "tracker must answer, but http://127.0.0.1:1 gave" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["promote", "unet"], ["demote", "unet"]])
def test_wrong_words_are_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_three_reports_at_once_register_one_version(root: Path, good: ModelVersion) -> None:
    def register() -> int:
        client, experiment_id = connect(root)
        with lock_registry(client, experiment_id):
            return register_version(client, "thrice", good.source, good.run_id, good.tags)

    with ThreadPoolExecutor(3) as pool:
        assert [future.result() for future in [pool.submit(register) for _ in range(3)]] == [1] * 3


def test_version_that_somebody_deleted_is_not_registered_again_unless_asked(
    client: MlflowClient, good: ModelVersion
) -> None:
    number = register_version(client, "gone", good.source, good.run_id, good.tags)
    client.delete_model_version("hokkaido-gone", str(number))
    message = rf"as hokkaido-gone version 1, which somebody deleted.* tag {REGISTERED} of run {good.run_id}"
    for _ in range(2):
        with pytest.raises(NotRegisteredError, match=message):
            register_version(client, "gone", good.source, good.run_id, good.tags)
    client.delete_tag(good.run_id, REGISTERED)
    assert register_version(client, "gone", good.source, good.run_id, good.tags) == 2


def test_report_goes_on_without_a_deleted_champion_or_model_and_names_it(
    client: MlflowClient, root: Path, good: ModelVersion, caplog: pytest.LogCaptureFixture
) -> None:
    run = find_campaign(client, root, "good")
    ranking, table = rank_campaign(client, run)
    client.set_tag(good.run_id, REGISTERED, f"{UNET} version {good.version}")
    client.delete_model_version(UNET, str(good.version))
    (left,) = register_models(client, ranking, table, run, root)
    assert (left.version, left.aliases) == (None, ())
    assert "which somebody deleted" in left.note
    assert CHAMPION not in aliases(client)
    client.delete_logged_model(good.source.removeprefix("models:/"))
    (left,) = register_models(client, ranking, table, run, root)
    assert left.note.startswith(f"Its logged model {good.source} is not in MLflow")
    assert "Not registered: VanillaUNet. Its logged model" in caplog.text
    (shown,) = build_models_section([left]).blocks
    assert isinstance(shown, Table)
    assert shown.rows[0][1] == "not registered"
