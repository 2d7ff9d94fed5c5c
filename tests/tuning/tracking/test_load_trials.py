import gc
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.results import Results, read_results
from tuning.report.sections.runs import BEST_TRIALS
from tuning.report.tables import make_tile_rows, score_run
from tuning.report.write_report import write_report
from tuning.store.duplicates import DUPLICATE
from tuning.tracking.client import (
    connect,
    find_runs,
    open_artifact,
    walk_runs,
)
from tuning.tracking.load_trials import SEARCH_TRIALS, read_trials
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.trial.folder import TrialFolder

BASELINE = "log_ratio_vv"
SEARCHES = {"unet": BEST_TRIALS + 3, "attention_unet": 2}
SEEDS = range(4)


def open_campaign(root: Path, name: str, pack: Pack, split: Split) -> tuple[Tracker, str]:
    """Open a campaign that expects one baseline."""
    context = CampaignContext(
        name, "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even", "c"
    )
    tracker, files = Tracker(root, context), root / name
    tags = {EXPECTED_RUNS_TAG: json.dumps({BASELINE: 1})}
    run_id = tracker.open_run("campaign", "campaign", name, tags=tags)
    files.mkdir(parents=True)
    ground = write_reference_layers(pack, split.test, files)
    for file in (ground, *write_split_audit(pack, [split], "blocks", files)):
        tracker.client.log_artifact(run_id, str(file))
    return tracker, run_id


def log_repeat(tracker: Tracker, parent: str, seed: int, fold: str, files: Path) -> str:
    """Log the baseline's trial folder as a repeat run; return its id."""
    tags = {"study": BASELINE, "stage": "repeat", "seed": str(seed), "fold": fold}
    run_id = tracker.open_run("trial", f"{seed} {fold}", BASELINE, parent, tags)
    tracker.finish(run_id, TrialFolder(files), "last epoch")
    return run_id


def log_search(tracker: Tracker, parent: str, model: str, number: int, score: float | None) -> str:
    """Log a search trial; one without a score has failed."""
    tags = {
        "study": model,
        "stage": "search",
        "seed": "42",
        "fold": "blocks",
        "number": str(number),
    }
    key = f"{model[0]}{number:015d}"
    run_id = tracker.open_run("trial", key, key, parent, tags, {"lr": number / 1000})
    scores = {} if score is None else {"best/val_pr_auc": score, "epochs": 5, "cost/cpu_hours": 0.5}
    metrics = [Metric(name, value, 0, 0) for name, value in scores.items()]
    tracker.client.log_batch(run_id, metrics=metrics, params=[Param("arch.width", "8")])
    ended_by = "error" if score is None else "scheduler"
    tracker.client.set_tag(run_id, "ended_by", ended_by)
    tracker.close(run_id, "FAILED" if score is None else "KILLED")
    return run_id


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, pack: Pack, split: Split) -> Path:
    """The trial folder of a measured baseline."""
    folder = tmp_path_factory.mktemp("baseline")
    run_baseline(make_baseline_config(BASELINE, "blocks", pack.hash, 0), pack, split, folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, files: Path, pack: Pack, split: Split) -> Path:
    root = tmp_path_factory.mktemp("mlruns")
    other, parent = open_campaign(root, "other", pack, split)
    log_search(other, parent, "unet", 0, 0.99)
    tracker, campaign = open_campaign(root, "first", pack, split)
    log_repeat(tracker, campaign, 0, "blocks", files)
    for model, count in SEARCHES.items():
        for number in range(count):
            log_search(
                tracker, campaign, model, number, None if number == 1 else 0.5 + number / 100
            )
    return root


@pytest.fixture(scope="module")
def fetched(root: Path) -> Counter[str]:
    """How often each run was loaded from MLflow while the report was written."""
    found: Counter[str] = Counter()
    search = MlflowClient.search_runs

    def count(self: MlflowClient, *args: Any, **kwargs: Any) -> Any:
        page = search(self, *args, **kwargs)
        found.update(run.info.run_id for run in page)
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "search_runs", count)
        write_report(root, "first")
    return found


def folder(root: Path) -> Path:
    return root / "reports" / "first"


def test_report_loads_each_run_once(root: Path, fetched: Counter[str]) -> None:
    runs = find_runs(*connect(root))
    of_it = [run for run in runs if run.data.tags["campaign"] == "first"]
    searches = {run.info.run_id for run in of_it if run.data.tags.get("stage") == "search"}
    repeats = {run.info.run_id for run in of_it if run.data.tags.get("stage") == "repeat"}
    campaigns = {run.info.run_id for run in runs if run.data.tags["kind"] == "campaign"}
    assert len(searches) == sum(SEARCHES.values())
    assert repeats | searches <= set(fetched) <= repeats | searches | campaigns
    assert set(fetched.values()) == {1}


def test_rows_have_the_latest_metrics_and_no_deleted_run(
    root: Path, pack: Pack, split: Split
) -> None:
    tracker, campaign = open_campaign(root, "odd", pack, split)
    ids = [log_search(tracker, campaign, "unet", number, 0.5) for number in range(5)]
    client = tracker.client
    client.log_metric(ids[0], "best/val_pr_auc", 0.7, step=3)  # the latest is the highest step
    client.log_metric(ids[0], "best/val_pr_auc", 0.1, step=2)
    client.log_metric(ids[1], "best/val_pr_auc", float("nan"), step=1)
    client.log_param(ids[3], "arch.extra", text := 'it\'s "quoted", with a comma')
    client.delete_run(ids[4])
    table = read_trials(client, tracker.experiment_id, "odd").searches
    assert table["run_id"].tolist() == ids[:4]
    assert table["val_pr_auc"].tolist()[0] == 0.7
    assert table["val_pr_auc"].isna().tolist() == [False, True, False, False]
    assert table["param/arch.extra"].tolist()[3] == text


def test_search_trials_csv_has_every_trial(root: Path, fetched: Counter[str]) -> None:
    table = pd.read_csv(folder(root) / SEARCH_TRIALS)
    assert table["model"].value_counts().to_dict() == SEARCHES
    runs = find_runs(*connect(root), campaign="first", stage="search")
    assert table["run_id"].tolist() == [run.info.run_id for run in runs]
    for row, run in zip(table.to_dict("records"), runs, strict=True):
        assert row["key"] == run.data.tags["key"]
        assert row["param/lr"] == float(run.data.params["lr"])
        assert row["param/arch.width"] == 8
        score = run.data.metrics.get("best/val_pr_auc", float("nan"))
        assert row["val_pr_auc"] == pytest.approx(score, nan_ok=True)
    assert table["ended_by"].value_counts().to_dict() == {"scheduler": 13, "error": 2}
    assert table[table["ended_by"] == "error"]["status"].unique().tolist() == ["FAILED"]


def test_page_lists_the_best_search_trials_and_counts_the_others(
    root: Path, fetched: Counter[str]
) -> None:
    page = (folder(root) / "report.html").read_text()
    rows = re.findall(r"<tr>.*?</tr>", page.replace("<wbr>", ""))
    listed = [row for row in rows if re.search(r"VanillaUNet #\d\d", row)]
    # 13 trials, of which the second failed, by rising score: the best ten are the last ten
    shown = [re.findall(r"lr ([0-9.e-]+)", row)[0] for row in listed]
    assert shown == ["0.012", "0.011", "0.01", *(f"{number}e-3" for number in range(9, 2, -1))]
    assert sum("AttentionUNet #" in row for row in rows) == SEARCHES["attention_unet"]
    assert "<code>search_trials.csv</code> in the page&#39;s folder lists all 15 trials" in page
    (summary,) = [row for row in rows if "scheduler 12, error 1" in row]
    assert "VanillaUNet" in summary
    for cell in ("13", "60", "0.620", "0.565"):
        assert f">{cell}</td>" in summary


def test_report_without_search_trials_has_no_list(
    root: Path, files: Path, pack: Pack, split: Split
) -> None:
    tracker, campaign = open_campaign(root, "alone", pack, split)
    log_repeat(tracker, campaign, 0, "blocks", files)
    write_report(root, "alone")
    assert not (root / "reports" / "alone" / SEARCH_TRIALS).exists()
    page = (root / "reports" / "alone" / "report.html").read_text()
    assert SEARCH_TRIALS not in page
    text = re.sub(r"</?span[^>]*>", "", page)
    assert "The VV log-ratio is the only model of this campaign, so nothing is compared." in text


def read(root: Path, name: str) -> Results | None:
    client, experiment_id = connect(root)
    (campaign,) = find_runs(client, experiment_id, kind="campaign", campaign=name)
    return read_results(client, campaign, read_trials(client, experiment_id, name).repeats)


def test_only_displayed_runs_keep_their_pixels(
    root: Path, files: Path, pack: Pack, split: Split
) -> None:
    tracker, campaign = open_campaign(root, "seeds", pack, split)
    ids = [log_repeat(tracker, campaign, seed, "blocks", files) for seed in SEEDS]
    tracker.client.log_metric(ids[2], "best/val_pr_auc", 0.999, step=1)
    results = read(root, "seeds")
    assert results is not None
    (model,) = results.models
    assert set(model.bins) == {ids[0], ids[2]}
    assert model.chosen.run.info.run_id == ids[2]
    with np.load(files / "test_probs.npz") as arrays:
        assert (model.bins[ids[2]] == arrays["bins"]).all()


def test_run_results_match_the_logged_files(root: Path, files: Path) -> None:
    results = read(root, "first")
    assert results is not None
    (run,) = results.models[0].runs
    assert (run.counts == np.load(files / "test_counts.npy")).all()
    assert (
        run.tiles.reshape(len(run.tiles), 2, -1).sum(axis=(0, 2)) == run.counts.sum(axis=1)
    ).all()
    assert run.tiles.dtype == np.uint16  # a tile has 16,384 pixels
    logged = TrialFolder(files).read("test")
    assert score_run(run)["pr_auc"] == pytest.approx(logged["pr_auc"])
    assert sum(row["tp"] for row in make_tile_rows(results.models)) == logged["tp"]


def test_seeds_without_all_folds_are_ignored(
    root: Path, files: Path, pack: Pack, split: Split
) -> None:
    tracker, campaign = open_campaign(root, "halves", pack, split)
    log_repeat(tracker, campaign, 0, "blocks:2/1", files)
    log_repeat(tracker, campaign, 1, "blocks:2/2", files)
    assert read(root, "halves") is None
    with pytest.raises(ValueError, match="finished repeat run, but campaign 'halves' has none"):
        write_report(root, "halves", partial=True)
    whole = log_repeat(tracker, campaign, 1, "blocks:2/1", files)
    results = read(root, "halves")
    assert results is not None
    assert [run.seed for run in results.models[0].runs] == [1, 1]
    assert set(results.models[0].bins) == {whole}


@pytest.mark.slow
def test_doubled_runs_are_named_and_never_summed(
    root: Path, files: Path, pack: Pack, split: Split, caplog: pytest.LogCaptureFixture
) -> None:
    tracker, campaign = open_campaign(root, "doubled", pack, split)
    kept = log_repeat(tracker, campaign, 0, "blocks", files)
    best = (
        log_search(tracker, campaign, "unet", 1, 0.5),
        log_search(tracker, campaign, "unet", 2, 0.6),
    )
    once = read(root, "doubled")
    client = tracker.client
    for run_id in (kept, best[1]):  # as an answer that was lost leaves them
        tags = client.get_run(run_id).data.tags
        copy = {name: value for name, value in tags.items() if not name.startswith("mlflow.")}
        double = client.create_run(tracker.experiment_id, tags=copy).info.run_id
        client.log_batch(
            double, metrics=[Metric("epochs", 1, 0, 0), Metric("best/val_pr_auc", 1, 0, 0)]
        )
    trials = read_trials(client, tracker.experiment_id, "doubled")
    assert [run.info.run_id for run in trials.repeats] == [kept]
    assert [one.kept for one in trials.duplicates] == [kept, best[1]]
    assert sorted(trials.searches["run_id"]) == sorted(best)
    twice = read(root, "doubled")
    assert once is not None
    assert twice is not None
    rows = [make_tile_rows(results.models) for results in (once, twice)]
    assert [sum(row["tp"] for row in part) for part in rows] == [
        sum(row["tp"] for row in rows[0])
    ] * 2
    table = write_report(root, "doubled")
    assert list(table["n_samples"]) == [len(rows[0])]
    assert list(table["seeds"]) == [1]
    page = (root / "reports" / "doubled" / "report.html").read_text()
    for one in trials.duplicates:
        assert f"{one.kept} counts, {one.other} does not" in caplog.text
        assert one.other in page
        assert client.get_run(one.other).data.tags[DUPLICATE] == one.kept
        assert client.get_run(one.other).info.status == "KILLED"


@pytest.mark.slow
def test_report_on_what_may_only_be_read_is_written_elsewhere_and_changes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.read_bytes() for file in (root / "artifacts").rglob("*") if file.is_file()}
    with monkeypatch.context() as other:
        other.setattr("tuning.tracking.client.is_writable", lambda _: False)
        with pytest.raises(
            PermissionError, match=r"may only be read\. Give another folder with --out"
        ):
            write_report(root, "first")
        write_report(root, "first", out=tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()
    after = {file: file.read_bytes() for file in (root / "artifacts").rglob("*") if file.is_file()}
    assert after == before
    connect(root)


def test_report_on_a_deleted_campaign_tells_how_to_restore_it(
    root: Path, files: Path, pack: Pack, split: Split
) -> None:
    tracker, campaign = open_campaign(root, "deleted", pack, split)
    tracker.client.delete_run(campaign)
    with pytest.raises(ValueError, match=rf"runs restore --run-id {campaign}`; or make it anew"):
        write_report(root, "deleted")
    with pytest.raises(ValueError, match="Unknown campaign 'never'"):
        write_report(root, "never")


def test_runs_are_loaded_page_by_page(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, experiment_id = connect(root)
    search, pages = client.search_runs, []

    def small_pages(*args: Any, **kwargs: Any) -> Any:
        pages.append(search(*args, **kwargs, max_results=2))
        return pages[-1]

    whole = find_runs(client, experiment_id, campaign="first")
    monkeypatch.setattr(client, "search_runs", small_pages)
    walk = walk_runs(client, experiment_id, campaign="first")
    first = [next(walk).info.run_id for _ in range(2)]
    assert len(pages) == 1
    rest = [run.info.run_id for run in walk]
    assert len(pages) == -(-len(whole) // 2)
    assert first + rest == [run.info.run_id for run in whole]


def test_garbage_collector_is_on_again_after_a_page(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment_id = connect(root)
    seen = []

    def fail(*args: Any, **kwargs: Any) -> None:
        seen.append(gc.isenabled())
        raise MlflowException("gone")

    find_runs(client, experiment_id)
    assert gc.isenabled()
    monkeypatch.setattr(client, "search_runs", fail)
    with pytest.raises(MlflowException, match="gone"):
        find_runs(client, experiment_id)
    assert seen == [False]
    assert gc.isenabled()


def test_local_artifact_is_not_copied(root: Path) -> None:
    client, experiment_id = connect(root)
    (run,) = find_runs(client, experiment_id, campaign="first", stage="repeat")
    with open_artifact(client, run, "trial/val_counts.npy") as file:
        assert file.is_relative_to(root / "artifacts")
    assert file.is_file()
    with (
        pytest.raises(MlflowException, match=r"No such artifact: 'trial/gone\.npy'|gone"),
        open_artifact(client, run, "trial/gone.npy"),
    ):
        pass
