"""The whole benchmark, end to end: real Ray, real MLflow, a fresh process that loads the models."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.pack import load_pack
from data.splits import make_split, survey_catalogue
from data.twin import make_twin
from tests.support.forked_commands import Call, Server
from tuning.baselines.baselines import is_deterministic, list_baselines
from tuning.metrics.recalibration import fit_calibration
from tuning.report.tables import PUBLISHED_COLUMNS
from tuning.report.terminal import PAGES_FILE
from tuning.settings.choose_models import OF_ALL
from tuning.settings.presets import SEEDS, pick_tiles
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(500)]

ROOT = Path(__file__).parents[3]
TRIALS = SEEDS_EACH = 1  # test_campaign_finished.py has a campaign with two of each
NEARLY_ONE = 1 - 1e-5  # float32 rounds higher probabilities so coarsely that calibration shows it
# Loads registered models where neither this project nor its folder can be imported.
LOAD = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
sys.path = [path for path in sys.path if path not in ("", sys.argv[3])]
try:
    import tuning
    sys.exit("the project can be imported")
except ModuleNotFoundError:
    pass
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
for name in sys.argv[4:]:
    model = mlflow.pyfunc.load_model(f"models:/{name}/1")
    np.save(f"{sys.argv[2]}/{name}-probs.npy", model.predict(np.load(f"{sys.argv[2]}/{name}.npy")))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture(scope="module")
def smoke(root: Path) -> subprocess.CompletedProcess[str]:
    """The smoke campaign of all networks and baselines, run once."""
    command = [sys.executable, "-m", "tuning.run", "--root", str(root), "--model", "all"]
    command += ["--preset", "smoke", "--campaign", "smoke"]
    command += ["--trials", str(TRIALS), "--seeds", str(SEEDS_EACH)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def runs_of(root: Path, campaign: str, **tags: str) -> list[Run]:
    return find_runs(*connect(root), campaign=campaign, **tags)


@pytest.fixture
def client(root: Path) -> MlflowClient:
    return connect(root)[0]


def test_smoke_campaign_ends_well(smoke: subprocess.CompletedProcess[str], root: Path) -> None:
    assert smoke.returncode == 0, smoke.stderr
    assert "SYNTHETIC (the twin's) data" in smoke.stdout
    checked, first = smoke.stderr.splitlines()[:4], smoke.stderr.splitlines()[4]
    assert all("can be exported: tiles of multiples of 8 px" in line for line in checked)
    assert " Data: SYNTHETIC (the twin's) tiles" in first
    for name in (
        "VanillaUNet",
        "AttentionUNet",
        "TemporalUNet_ConvLSTM",
        "UTAE",
        "GradientBoosting",
    ):
        assert name in smoke.stdout
    assert f"mlflow ui --backend-store-uri sqlite:///{root}/mlflow.db" in smoke.stdout
    pages = json.loads((root / "reports" / "smoke" / PAGES_FILE).read_text())
    assert pages["precision over recall on test, overlaid"].startswith(
        "http://127.0.0.1:5000/#/metric?"
    )


def test_table_has_a_row_per_model(smoke: subprocess.CompletedProcess[str], root: Path) -> None:
    table = pd.read_csv(root / "reports" / "smoke" / "benchmark_master.csv")
    assert tuple(table.columns[: len(PUBLISHED_COLUMNS)]) == PUBLISHED_COLUMNS
    baselines = list_baselines(["s1"])
    assert set(table["architecture"]) == {*OF_ALL, *baselines}
    assert set(table["data"]) == {"synthetic"}
    assert table.set_index("architecture").loc[list(OF_ALL), "seeds"].tolist() == [
        SEEDS_EACH
    ] * len(OF_ALL)
    assert table["pos_pixels"].nunique() == 1  # every model saw the same test tiles


def test_runs_are_nested(smoke: subprocess.CompletedProcess[str], root: Path) -> None:
    (campaign,) = runs_of(root, "smoke", kind="campaign")
    studies = {run.info.run_id: run for run in runs_of(root, "smoke", kind="study")}
    trials = runs_of(root, "smoke", kind="trial")
    assert {run.data.tags["mlflow.parentRunId"] for run in studies.values()} == {
        campaign.info.run_id
    }
    repeats = [1 if is_deterministic(key) else SEEDS_EACH for key in list_baselines(["s1"])]
    assert len(trials) == len(OF_ALL) * (TRIALS + SEEDS_EACH) + sum(repeats)
    for trial in trials:
        study = studies[trial.data.tags["mlflow.parentRunId"]]
        assert study.data.tags["study"] == trial.data.tags["study"]
        assert trial.info.status in ("FINISHED", "KILLED")
        assert {"stage", "seed", "split", "split_hash", "data_hash", "git_commit"} <= set(
            trial.data.tags
        )


def test_search_never_sees_test(smoke: subprocess.CompletedProcess[str], root: Path) -> None:
    for trial in runs_of(root, "smoke", kind="trial", stage="search"):
        assert not [name for name in trial.data.metrics if "test" in name]
        assert int(trial.data.tags["seed"]) not in SEEDS


def test_every_trial_has_curves_and_its_environment(
    smoke: subprocess.CompletedProcess[str], root: Path, client: MlflowClient
) -> None:
    for trial in runs_of(root, "smoke", kind="trial"):
        if trial.data.tags["study"] not in OF_ALL:
            continue
        assert trial.data.params["model"] == trial.data.tags["study"]
        assert len(client.get_metric_history(trial.info.run_id, "pr/val_precision")) == 101
        files = {file.path for file in client.list_artifacts(trial.info.run_id, "curves")}
        assert {"curves/pr.png", "curves/pr_val.json"} <= files
        assert trial.data.metrics["system/process_memory_megabytes"] > 0
        assert trial.data.tags["env.device"] == "cpu"
        assert trial.inputs.dataset_inputs[0].dataset.digest == trial.data.tags["data_hash"]
        assert re.match(
            r"\w+ · (search · blocks · #\d\d · lr \S+|repeat · blocks · seed \d+)$",
            str(trial.info.run_name),
        )


def test_every_registered_version_has_a_gate_s_outcome(
    smoke: subprocess.CompletedProcess[str], root: Path, client: MlflowClient
) -> None:
    (campaign,) = runs_of(root, "smoke", kind="campaign")
    assert "gate.npz" in {file.path for file in client.list_artifacts(campaign.info.run_id)}
    models = client.search_registered_models()
    assert sorted(model.name for model in models) == [
        "hokkaido-attention-unet",
        "hokkaido-unet",
        "hokkaido-unet-convlstm",
        "hokkaido-utae",
    ]
    champions = 0
    for model in models:
        (version,) = client.search_model_versions(f"name='{model.name}'")
        passed = version.tags["gate"] == "passed"
        assert ("champion" in model.aliases) == passed
        assert (f"Not promoted: {model.name} version 1: its gate" in smoke.stderr) != passed
        champions += passed
    assert sum("best" in model.aliases for model in models) == min(champions, 1)


def test_models_load_in_a_process_without_this_project(
    smoke: subprocess.CompletedProcess[str], root: Path, client: MlflowClient, tmp_path: Path
) -> None:
    pack = load_pack(next((root / "packs").glob("pack-*")))
    wanted = {}
    for name in (f"hokkaido-{model.replace('_', '-')}" for model in OF_ALL):
        run_id = client.get_model_version(name, "1").run_id
        examples = np.load(client.download_artifacts(run_id, "trial/examples.npz", str(tmp_path)))
        rows = pack.rows([str(tile) for tile in examples["tile_ids"]])
        steps = pack.select_steps("event", 4)[rows]  # the default; the model reads these alone
        x = [
            np.take_along_axis(bands[rows], steps[:, index, :, None, None, None], axis=1)
            for index, bands in enumerate(pack.bands.values())
        ]
        np.save(tmp_path / f"{name}.npy", np.concatenate(x, axis=2).astype(np.float32))
        # The training process wrote its probabilities of these test tiles into examples.npz; the model calibrates them.
        val = np.load(client.download_artifacts(run_id, "trial/val_counts.npy", str(tmp_path)))
        wanted[name] = examples["probs"], fit_calibration(val).apply(examples["probs"])
    uri = f"sqlite:///{root / 'mlflow.db'}"
    ask = [sys.executable, "-c", LOAD, uri, str(tmp_path), str(ROOT), *wanted]
    done = subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, (trained, probs) in wanted.items():
        kept = trained < NEARLY_ONE
        assert kept.mean() > 0.9, name
        assert np.abs(np.load(tmp_path / f"{name}-probs.npy") - probs)[kept].max() <= 1e-4, name


def test_cross_validation_searches_and_repeats_every_fold(
    commands: Server, root: Path, tmp_path: Path
) -> None:
    tiles = make_twin(
        root / "data", tile_ids=pick_tiles("blocks", 8, survey_catalogue())
    )  # smoke's, if it ran
    words = "--model unet log_ratio_vv --preset smoke --trials 1 --seeds 2 --split blocks:2 --search per-fold --campaign folds"
    call = ["tuning.run", "--root", str(tmp_path), *words.split(), "--data", str(tiles)]
    threads = {"OMP_NUM_THREADS": None}  # as a user starts it
    done = commands.run(Call(call, str(ROOT), threads, silence_s=240.0))
    assert done.code == 0, done.said
    report = tmp_path / "reports" / "folds"
    runs = pd.read_csv(report / "benchmark_runs.csv")
    network = runs[runs["architecture"] == "unet"]
    assert sorted(zip(network["seed"], network["fold"], strict=True)) == [
        (42, "blocks:2/1"),
        (42, "blocks:2/2"),
        (123, "blocks:2/1"),
        (123, "blocks:2/2"),
    ]
    table = pd.read_csv(report / "benchmark_master.csv").set_index("architecture")
    assert set(table["folds"]) == {2}
    chosen = network[network["seed"] == table.loc["unet", "seed"]]
    for name in ("tp", "fp", "fn", "tn", "n_samples"):
        assert table.loc["unet", name] == chosen[name].sum()
    assert table.loc["unet", "f1_dice"] == pytest.approx(chosen["f1_dice"].mean())
    assert table.loc["unet", "pr_auc_mean"] == pytest.approx(network["pr_auc"].mean())
    searches = pd.read_csv(report / "search_trials.csv")
    assert sorted(searches["split"]) == ["blocks:2/1", "blocks:2/2"]
    assert not set(searches["seed"]) & set(network["seed"])
    text = "searched on each of the 2 folds, on its own train and val tiles alone"
    assert text in done.said
    assert text in (report / "report.html").read_text()
    (campaign,) = runs_of(tmp_path, "folds", kind="campaign")
    assert campaign.data.params["search"] == "per-fold"
    (version,) = connect(tmp_path)[0].search_model_versions("name='hokkaido-unet'")
    assert version.tags["split"] == "blocks:2/1"
    assert version.tags["split_hash"] != campaign.data.tags["split_hash"]
    parts = [
        set(make_split(fold, survey_catalogue()).test) for fold in ("blocks:2/1", "blocks:2/2")
    ]
    assert not parts[0] & parts[1]
