import json
import re
import shutil
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from playwright.sync_api import Browser

from data.pack import Pack
from data.splits import Split
from tests.support.browsing import OVERFLOW, visit
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.metrics.histogram import reach
from tuning.registry.register import register_version
from tuning.report.__main__ import main
from tuning.report.missing import EXPECTED_RUNS_TAG, describe_missing_runs
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.tables import PUBLISHED_COLUMNS
from tuning.report.write_report import write_report
from tuning.serving.network import make_program
from tuning.serving.reference import check_program, make_reference
from tuning.tracking.client import connect, find_runs
from tuning.tracking.model_facts import read_calibration
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import MODEL_ERROR, Tracker
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import measure_test
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder

CPU = torch.device("cpu")
SEEDS = (42, 123)


BASELINE = "log_ratio_vv"
KEYS = ("run_id", "weights_path")
AP = "pr_auc_mean"


def log_campaign(
    root: Path, name: str, config: Config, pack: Pack, split: Split, expected: dict[str, int]
) -> None:
    """Log a campaign of two seeds of one network, and a baseline, as the driver does."""
    tracker = Tracker(
        root,
        CampaignContext(
            name, "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even", "c"
        ),
    )
    campaign = tracker.open_run(
        "campaign", "campaign", name, tags={EXPECTED_RUNS_TAG: json.dumps(expected)}
    )
    files = root / name
    files.mkdir(parents=True)
    ground = write_reference_layers(pack, split.test, files)
    for file in (ground, *write_split_audit(pack, [split], "blocks", files)):
        tracker.client.log_artifact(campaign, str(file))
    for seed in SEEDS:
        folder = files / str(seed)
        fit(config | {"seed": seed}, pack, folder, lambda row: None, device=CPU)
        measure_test(TrialFolder(folder), pack, split, CPU)
        tags = {"study": "unet", "stage": "repeat", "seed": str(seed), "fold": "blocks"}
        run_id = tracker.open_run("trial", f"unet-{seed}", f"unet {seed}", campaign, tags)
        tracker.finish(run_id, TrialFolder(folder), "last epoch")
    tags = {"study": BASELINE, "stage": "repeat", "seed": "0", "fold": "blocks"}
    run_id = tracker.open_run("trial", BASELINE, BASELINE, campaign, tags)
    config = make_baseline_config(BASELINE, "blocks", pack.hash, 0)
    tracker.finish(run_id, run_baseline(config, pack, split, files / "b"), "last epoch")


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory, base_config: Config, pack: Pack, split: Split
) -> Path:
    root = tmp_path_factory.mktemp("mlruns")
    expected = {"unet": len(SEEDS), BASELINE: 1}
    log_campaign(root, "first", base_config | {"epochs": 2}, pack, split, expected)
    return root


@pytest.fixture(scope="module")
def table(root: Path) -> pd.DataFrame:
    write_report(root)
    return pd.read_csv(root / "reports" / "first" / "benchmark_master.csv")


def unet(table: pd.DataFrame) -> "pd.Series[float]":
    return table.set_index("model").loc["VanillaUNet"]


def test_table_starts_with_the_published_columns(table: pd.DataFrame) -> None:
    assert tuple(table.columns[: len(PUBLISHED_COLUMNS)]) == PUBLISHED_COLUMNS
    assert sorted(table["model"]) == ["LogRatioVV", "VanillaUNet"]
    assert set(table["data"]) == {"synthetic"}


def test_table_counts_follow_from_each_other(table: pd.DataFrame) -> None:
    for _, row in table.iterrows():
        assert row["tp"] + row["fn"] == row["pos_pixels"]
        assert row[["tp", "fp", "fn", "tn"]].sum() == row["n_samples"] * 128 * 128
        assert row["precision"] == pytest.approx(row["tp"] / (row["tp"] + row["fp"]))
        assert row["iou"] == pytest.approx(row["tp"] / (row["tp"] + row["fp"] + row["fn"]))
        assert row["pos_ratio"] == pytest.approx(row["pos_pixels"] / (row["n_samples"] * 128 * 128))


def test_spread_is_over_the_seeds(root: Path, table: pd.DataFrame) -> None:
    scores = [TrialFolder(root / "first" / str(seed)).read("test") for seed in SEEDS]
    for name in ("pr_auc", "f1_dice", "recall"):
        values = [score[name] for score in scores]
        assert unet(table)[f"{name}_mean"] == pytest.approx(np.mean(values))
        assert unet(table)[f"{name}_std"] == pytest.approx(np.std(values, ddof=1))
    assert unet(table)["seeds"] == 2


def test_placebo_is_the_mean_over_seeds_of_the_trials_counts(
    root: Path, table: pd.DataFrame
) -> None:
    counts = []
    for seed in SEEDS:
        with np.load(root / "first" / str(seed) / "placebo.npz") as arrays:
            counts.append(arrays["counts"].sum(axis=0))
    rates = [objects / (pixels * 1e-4) for pixels, objects, _ in counts]
    row = unet(table)
    assert row["placebo_alarms_per_km2"] == pytest.approx(np.mean(rates))
    low, high = row["placebo_alarms_per_km2_low"], row["placebo_alarms_per_km2_high"]
    assert 0 <= low <= row["placebo_alarms_per_km2"] <= high
    pixels, _, found = np.sum(counts, axis=0)
    assert row["placebo_area_share"] == pytest.approx(found / pixels)
    assert row["placebo_tiles"] == row["n_samples"]


def test_registered_run_is_the_best_on_val(root: Path, table: pd.DataFrame) -> None:
    best = max(
        SEEDS,
        key=lambda seed: TrialFolder(root / "first" / str(seed)).history()[-1]["best/val_pr_auc"],
    )
    assert unet(table)["seed"] == best
    assert unet(table)["pr_auc"] == TrialFolder(root / "first" / str(best)).read("test")["pr_auc"]


def test_report_draws_the_published_study_s_figures(root: Path, table: pd.DataFrame) -> None:
    folder = root / "reports" / "first"
    kinds = ["loss_curve", "dice_curve", "pr_auc_curve", "pr_curve", "confusion_matrix", "qual_00"]
    for kind in kinds:
        assert (
            folder / "Figures" / "VanillaUNet" / f"VanillaUNet_{kind}.png"
        ).stat().st_size > 5000
    for name in (
        "pr_curves",
        "intervals",
        "reliability",
        "reliability_calibrated",
        "recall_by_size",
        "cost",
    ):
        assert (folder / "Figures" / f"{name}.png").stat().st_size > 5000


def test_every_repeat_run_has_a_row(root: Path, table: pd.DataFrame) -> None:
    runs = pd.read_csv(root / "reports" / "first" / "benchmark_runs.csv").set_index("run_id")
    assert sorted(runs["seed"]) == sorted([*SEEDS, 0])
    for seed in SEEDS:
        row = runs[(runs["seed"] == seed) & (runs["architecture"] == "unet")].iloc[0]
        logged = TrialFolder(root / "first" / str(seed)).read("test")
        for name in ("pr_auc", "tp", "fn", "precision", "iou"):
            assert row[name] == pytest.approx(logged[name])
        assert row["f1@oracle"] >= row["f1@thr_val"]
        assert row["thr_val"] == logged["threshold"]
        assert row["parameters"] > 0
        assert 0 < row["gmac_per_tile"] < 1


def test_every_test_tile_has_a_row_that_adds_up(root: Path, table: pd.DataFrame) -> None:
    tiles = pd.read_csv(root / "reports" / "first" / "benchmark_tiles.csv")
    assert len(tiles) == 4 * (len(SEEDS) + 1)
    row = unet(table)
    mine = tiles[(tiles["model"] == "VanillaUNet") & (tiles["seed"] == row["seed"])]
    assert mine[["tp", "fp", "fn", "tn"]].sum().tolist() == row[["tp", "fp", "fn", "tn"]].tolist()
    empty = mine["tp"] + mine["fn"] == 0
    assert (mine["pr_auc"].isna() == empty).all()
    assert row["f1@thr_val"] == row["f1_dice"] <= row["f1@oracle"]


def test_table_at_half_has_the_published_columns(root: Path, table: pd.DataFrame) -> None:
    folder = root / "reports" / "first"
    half = pd.read_csv(folder / "VanillaUNet_benchmark_thr0.5.csv").iloc[0]
    assert tuple(half.index) == PUBLISHED_COLUMNS
    assert half["threshold"] == 0.5
    counts = np.load(root / "first" / str(unet(table)["seed"]) / "test_counts.npy")
    assert half["tp"] == counts[1, reach(0.5) :].sum()
    content = json.loads((folder / "VanillaUNet_benchmark_thr0.5.json").read_text())
    assert content["summary"]["data"] == "synthetic"
    assert len(content["runs"]) == 2


def test_every_pair_is_compared_once(root: Path, table: pd.DataFrame) -> None:
    pairs = pd.read_csv(root / "reports" / "first" / "pairwise.csv")
    assert pairs["metric"].tolist() == ["pr_auc", "f1_dice"]
    assert {*pairs["a"], *pairs["b"]} == {"VanillaUNet", "LogRatioVV"}
    assert pairs["verdict"][0] == "undecided"  # two seeds are too few for a verdict
    assert pairs["note"][0] == "too few seeds"


def test_intervals_enclose_the_mean(table: pd.DataFrame) -> None:
    assert (table["pr_auc_low"] <= table["pr_auc_mean"]).all()
    assert (table["pr_auc_mean"] <= table["pr_auc_high"]).all()


def test_page_has_all_sections(root: Path, table: pd.DataFrame) -> None:
    page = (root / "reports" / "first" / "report.html").read_text()
    for words in (
        "VanillaUNet",
        "LogRatioVV",
        "mean after the event minus mean before",
        "Synthetic data",
        "Split",
        "Cost",
        "Provenance",
    ):
        assert words in page
    addresses = re.findall(r'(?:href|src|action)="(\w+:[^"]+)"', page.replace("data:", ""))
    (own,) = [address for address in addresses if address == "http://127.0.0.1:5000"]
    links = [address for address in addresses if address != own]  # MLflow's pages
    # prepared pages, without a comparison of search trials, and every run
    assert len(links) == 8 + len(SEEDS) + 1
    assert all(address.startswith(f"{own}/#/") for address in links)
    folder = root / "reports" / "first" / "Figures" / "VanillaUNet"
    examples = len(list(folder.glob("*_qual_*.png")))
    assert examples > 1
    # comparisons, figures of details, examples of both, map
    assert page.count("<img") == 6 + 3 + examples + 1 + 1


def test_page_leads_from_the_checklist_to_its_sections(root: Path, table: pd.DataFrame) -> None:
    page = (root / "reports" / "first" / "report.html").read_text()
    checklist = page[page.index('<section id="checklist"') :]
    targets = set(re.findall(r'<a href="#([a-z0-9-]+)"', checklist))
    assert {"ranking", "split", "hyperparameters", "compute", "scope-and-limitations"} <= targets
    assert all(f'<section id="{target}"' in page for target in targets)
    assert checklist.count("\N{EN DASH}</td>") == 1  # the question that authors have to answer


def test_a_campaign_without_search_trials_says_what_it_lacks(
    root: Path, table: pd.DataFrame
) -> None:
    page = (root / "reports" / "first" / "report.html").read_text()
    assert "VanillaUNet: 0 trials" in page
    assert ">not logged</th>" in page  # the runs of this campaign hold no params
    assert "No hyperparameter was searched" in page
    assert "lacks train and val tiles" not in page  # this version's splits.json has their places


def test_lines_to_quote_have_the_table_s_scores(root: Path, table: pd.DataFrame) -> None:
    folder = root / "reports" / "first"
    lines = (folder / "results.txt").read_text(encoding="utf-8")
    row = unet(table)
    assert (
        f"VanillaUNet: AP {row['pr_auc_mean']:.3f} ± {row['pr_auc_std']:.3f} over 2 seeds" in lines
    )
    assert str(row["split_hash"]) in lines
    entries = (folder / "cite.bib").read_text(encoding="utf-8")
    assert str(row["data_hash"]) in entries
    assert "ronneberger2015unet" in entries


@pytest.mark.parametrize("width", [360, 1280])
def test_page_reads_in_a_browser(
    root: Path, table: pd.DataFrame, browser: Browser, width: int
) -> None:
    file = root / "reports" / "first" / "report.html"
    widths, complaints, requests = visit(browser, file)
    assert min(widths) > 0
    assert complaints == []
    assert requests == {file.as_uri()}
    opened = browser.new_page(viewport={"width": width, "height": 800})
    opened.goto(file.as_uri())
    assert opened.evaluate(OVERFLOW) <= 0
    opened.close()


def test_report_goes_to_mlflow_too(root: Path, table: pd.DataFrame) -> None:
    client, experiment_id = connect(root)
    (campaign,) = find_runs(client, experiment_id, kind="campaign", campaign="first")
    files = {file.path for file in client.list_artifacts(campaign.info.run_id, "report")}
    assert {"report/report.html", "report/benchmark_master.csv", "report/pairwise.csv"} <= files


def test_campaign_s_run_carries_the_scores_of_its_best_model(
    root: Path, table: pd.DataFrame
) -> None:
    write_report(root)  # adds nothing
    client, experiment_id = connect(root)
    (campaign,) = find_runs(client, experiment_id, kind="campaign", campaign="first")
    best, metrics = table.iloc[0], campaign.data.metrics
    assert campaign.data.tags["best_model"] == best["architecture"]
    assert ("test/pr_auc_std" in metrics) == (best["seeds"] > 1)
    for column in ("pr_auc_mean", "pr_auc_low", "pr_auc_high", "f1_dice_mean"):
        assert metrics[f"test/{column}"] == pytest.approx(best[column], nan_ok=True)
        assert len(client.get_metric_history(campaign.info.run_id, f"test/{column}")) == 1
    assert metrics["best/val_pr_auc_mean"] == pytest.approx(best["val_pr_auc_mean"])
    assert metrics["n_seeds"] == best["seeds"]


def test_report_stores_the_views_that_its_addresses_open(root: Path, table: pd.DataFrame) -> None:
    pages = json.loads((root / "reports" / "first" / "pages.json").read_text())
    client, experiment_id = connect(root)
    keys = re.findall(r"viewStateShareKey=([\w-]+)", " ".join(pages.values()))
    assert len(set(keys)) == 3
    tags = client.get_experiment(experiment_id).tags
    assert {f"mlflow.sharedViewState.{key}" for key in keys} <= tags.keys()


def test_report_refuses_a_campaign_with_missing_repeats(
    root: Path, table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, experiment_id = connect(root)
    (campaign,) = find_runs(client, experiment_id, kind="campaign", campaign="first")
    whole = campaign.data.tags[EXPECTED_RUNS_TAG]
    client.set_tag(
        campaign.info.run_id, EXPECTED_RUNS_TAG, json.dumps({"unet": 5, "attention_unet": 5})
    )
    try:
        arguments = ["--root", str(root), "--out", str(tmp_path / "out")]
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert "unet has 2 of 5 repeat runs. attention_unet has 0 of 5 repeat runs." in error
        assert "--resume first" in error
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "diary.txt").write_text("private")
        assert main([*arguments, "--partial"]) == 0
        assert (tmp_path / "out" / "diary.txt").read_text() == "private"
        logged = client.list_artifacts(campaign.info.run_id, "report")
        assert "report/diary.txt" not in {file.path for file in logged}
        assert "This report is partial" in (tmp_path / "out" / "report.html").read_text()
    finally:
        client.set_tag(campaign.info.run_id, EXPECTED_RUNS_TAG, whole)
    (again,) = find_runs(client, experiment_id, kind="campaign", campaign="first")
    repeats = find_runs(client, experiment_id, campaign="first", kind="trial")
    assert describe_missing_runs(client, again, repeats) == []


def test_network_that_could_not_be_exported_is_ranked_but_not_registered(
    root: Path, table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, _ = connect(root)
    chosen, uri = (str(table.set_index("architecture").at["unet", key]) for key in KEYS)
    client.set_tag(chosen, MODEL_ERROR, "It branches.")
    client.delete_tag(chosen, "model_uri")
    try:
        assert main(["--root", str(root), "--out", str(tmp_path / "out")]) == 1
        sentence = "unet lacks a model in 1 run, whose scores count: It branches. Correct"
        assert f"error: {sentence}" in capsys.readouterr().err
        again = pd.read_csv(tmp_path / "out" / "benchmark_master.csv").set_index("architecture")
        assert np.isnan(again.at["unet", "weights_path"])
        assert again.at["unet", AP] == table.set_index("architecture").at["unet", AP]
        page = (tmp_path / "out" / "report.html").read_text()
        assert "It could not be exported: It branches. Its scores count." in page
    finally:
        client.set_tag(chosen, "model_uri", uri)
        client.delete_tag(chosen, MODEL_ERROR)
    assert main(["--root", str(root), "--out", str(tmp_path / "out"), "--pdf"]) == 0
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_report_reads_mlflow_alone(root: Path, table: pd.DataFrame) -> None:
    for seed in SEEDS:
        (root / "first" / str(seed)).rename(root / f"away-{seed}")
    try:
        again = write_report(root, "first")
    finally:
        for seed in SEEDS:
            (root / f"away-{seed}").rename(root / "first" / str(seed))
    assert again["pr_auc"].tolist() == pytest.approx(table["pr_auc"].tolist())


def test_report_twice_registers_once(root: Path, table: pd.DataFrame) -> None:
    write_report(root)
    client, _ = connect(root)
    versions = client.search_model_versions("name='hokkaido-unet'")
    assert len(versions) == 1
    assert versions[0].tags["data"] == "synthetic"
    assert versions[0].tags["run_id"] == unet(table)["run_id"]


def read_db(pack: Pack, rows: np.ndarray) -> torch.Tensor:
    """Return backscatter in dB of both orbits, all 15 acquisitions."""
    bands = [values[rows] for values in pack.bands.values()]
    return torch.from_numpy(np.concatenate(bands, axis=2).astype(np.float32))


def test_registered_model_answers_as_in_training(
    root: Path, table: pd.DataFrame, pack: Pack, split: Split
) -> None:
    connect(root)
    loaded = mlflow.pyfunc.load_model("models:/hokkaido-unet/1")
    folder = root / "first" / str(unet(table)["seed"])
    with np.load(folder / "examples.npz") as examples:
        ids, expected = [str(tile) for tile in examples["tile_ids"]], examples["probs"]
    below = expected < 0.999  # nearer to 1, float32 no longer tells apart what calibration spreads
    expected = read_calibration(TrialFolder(folder)).apply(expected)
    x = read_db(pack, pack.rows(ids))
    assert below.mean() > 0.5
    assert np.abs(loaded.predict(x.numpy()) - expected)[below].max() <= 1e-4


def test_program_takes_missing_pixels_as_the_mean(root: Path, pack: Pack) -> None:
    checkpoint = load_checkpoint(root / "first" / "42" / "best.pt")
    program = make_program(checkpoint)
    x = read_db(pack, np.arange(2))[:, : checkpoint.config["timesteps"]]
    means = x.clone()
    x[:, :, 1, :9], means[:, :, 1, :9] = float("nan"), checkpoint.norm.mean[1]
    with torch.no_grad():
        assert torch.allclose(program(x), program(means), atol=1e-6)


def test_changed_program_is_refused(root: Path) -> None:
    checkpoint = load_checkpoint(root / "first" / "42" / "best.pt")
    program = make_program(checkpoint)
    reference = make_reference(program, checkpoint.norm, 8)

    def answer(x: np.ndarray, days: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            probs: np.ndarray = program(torch.from_numpy(x), torch.from_numpy(days)).numpy()
        return probs

    check_program(answer, reference)
    with pytest.raises(ValueError, match=r"must equal its network to 0.0005, but differs by"):
        check_program(lambda x, days: answer(x, days) + 0.001, reference)


def test_changed_model_is_not_registered(root: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    client, _ = connect(root)
    run_id, uri = unet(table)["run_id"], unet(table)["weights_path"]
    file = Path(client.download_artifacts(run_id, "trial/reference.npz", str(tmp_path)))
    with np.load(file) as reference:
        changed = {name: reference[name] for name in reference.files}
    changed["probs_0"] = changed["probs_0"] + 0.1
    other = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    np.savez(file, **changed)
    client.log_artifact(other, str(file), "trial")
    with pytest.raises(ValueError, match="Do not use this model"):
        register_version(client, "changed", uri, other, {})
    assert client.search_model_versions("name='hokkaido-changed'") == []


def test_command_writes_the_report(
    root: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(root / "reports")
    assert main(["--root", str(root)]) == 0
    assert "VanillaUNet" in capsys.readouterr().out
    assert (root / "reports" / "first" / "benchmark_master.csv").is_file()


def test_command_names_the_campaigns(
    root: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(root), "--campaign", "frist"]) == 1
    assert "Unknown campaign 'frist'. Did you mean 'first'?" in capsys.readouterr().err


def test_command_reports_that_there_is_no_campaign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path)]) == 2
    assert "must hold a campaign's database mlflow.db, but" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_command_names_a_tracker_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["--root", str(tmp_path)]) == 1
    assert "tracker must answer, but http://127.0.0.1:1 gave" in capsys.readouterr().err


def test_report_needs_a_finished_repeat(root: Path, table: pd.DataFrame) -> None:
    context = CampaignContext(
        "empty", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c"
    )
    Tracker(root, context).open_run("campaign", "campaign", "empty")
    with pytest.raises(ValueError, match="finished repeat run, but campaign 'empty' has none"):
        write_report(root, "empty")
