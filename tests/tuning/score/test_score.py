import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.foreign_maps import (
    PROVENANCE,
    draw_maps,
    log_small_campaign,
    write_statements,
    write_tiffs,
)
from tuning.bundle.make import make_bundle
from tuning.bundle.read import read_bundle
from tuning.metrics.histogram import edges
from tuning.report.ranking import Ranking, rank_models
from tuning.report.results import read_results
from tuning.score.__main__ import main
from tuning.score.score import score_predictions
from tuning.score.target import open_target
from tuning.settings.lock import lock_campaign
from tuning.settings.saved_campaigns import campaign_folder
from tuning.tracking.campaign.saved import load_sender
from tuning.tracking.client import connect, find_runs

TITLE, KEY = "prithvi (foreign)", "foreign:prithvi"


def score(root: Path, folder: Path, name: str = "prithvi", **options: object) -> list[str]:
    return score_predictions(open_target(root, None), folder, name, **options)  # type: ignore[arg-type]


def count_rows(root: Path) -> int:
    client, experiment = connect(root)
    return len(find_runs(client, experiment, study=KEY, kind="trial"))


def test_command_puts_foreign_maps_as_a_marked_row_into_table_page_and_pairs(
    root: Path, maps: Path, split: Split, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--predictions", str(maps), "--name", "prithvi", "--root", str(root)]
    assert main(words) == 0
    printed, report = capsys.readouterr().out, root / "reports" / "own"
    assert "AP 0.498, threshold 0.500 (given, since there are no val tiles)" in printed
    table = pd.read_csv(report / "benchmark_master.csv").set_index("model")
    row = table.loc[TITLE]
    assert (row["origin"], row["family"], row["architecture"]) == ("foreign", "exploratory", KEY)
    assert set(table["origin"].drop(TITLE)) == {"own"}
    assert row[["cpu_hours", "infer_seconds_total", "val_pr_auc_mean", "rank"]].isna().all()
    assert (row["reads_channels"], row["split_hash"]) == ("not stated", split.hash)
    pairs = pd.read_csv(report / "pairwise.csv")
    foreign = pairs[(pairs["a"] == TITLE) | (pairs["b"] == TITLE)]
    assert set(foreign["family"]) == {"exploratory"}
    assert set(foreign[["a", "b"]].stack()) == {TITLE, "LogRatioVV", "LogRatioVH"}
    page = (report / "report.html").read_text()
    assert "Foreign predictions" in page
    assert PROVENANCE["made_by"] in page
    client, _ = connect(root)
    assert list(client.search_registered_models()) == []
    make_bundle(root, "own", tmp_path / "own.zip")  # which verifies it
    models = {model.title: model for model in read_bundle(tmp_path / "own.zip").models}
    assert models[TITLE].origin == "foreign"
    assert "nothing is recorded twice" in score(root, maps)[-1]
    assert count_rows(root) == 1


def rank(root: Path) -> Ranking:
    target = open_target(root, None)
    results = read_results(target.client, target.campaign, target.repeats)
    assert results is not None
    return rank_models(results.models, results.layers)


def test_foreign_rows_leave_the_primary_family_as_it_is(root: Path, maps: Path) -> None:
    before = rank(root)
    score(root, maps)
    after = rank(root)
    assert before.primary is not None
    assert after.primary is not None
    assert after.primary.pairs == before.primary.pairs
    assert after.places == before.places
    assert TITLE not in after.places
    assert after.foreign is not None
    assert {(pair.a, pair.b) for pair in after.foreign.pairs} == {
        ("LogRatioVV", TITLE),
        ("LogRatioVH", TITLE),
    }


def test_baseline_s_own_maps_as_foreign_ones_have_the_baseline_s_scores(
    root: Path, tmp_path: Path, pack: Pack, split: Split
) -> None:
    trial = next(
        one
        for one in (campaign_folder(root, "own") / "trials").iterdir()
        if json.loads((one / "config.json").read_text())["model"] == "log_ratio_vv"
    )
    with np.load(trial / "test_probs.npz") as stored:
        bins = dict(zip(stored["tile_ids"].tolist(), stored["bins"], strict=True))
    maps = {tile: edges()[one].astype(np.float32) for tile, one in bins.items()}
    folder = write_statements(tmp_path / "same", split.hash)
    write_tiffs(folder, pack, maps)
    target = open_target(root, None)
    own = next(run for run in target.repeats if run.data.tags["study"] == "log_ratio_vv")
    score(root, folder, threshold=own.data.metrics["test/threshold"])
    client, experiment = connect(root)
    (run,) = find_runs(client, experiment, study=KEY, kind="trial")
    for name in ("pr_auc", "f1_dice", "iou", "ece", "tp", "pos_pixels", "n_samples"):
        assert run.data.metrics[f"test/{name}"] == own.data.metrics[f"test/{name}"]


def test_val_tiles_choose_the_threshold_as_for_every_network(
    root: Path, tmp_path: Path, pack: Pack, split: Split
) -> None:
    folder = write_statements(tmp_path / "maps", split.hash)
    write_tiffs(folder, pack, draw_maps(pack, (*split.test, *split.val)))
    (line,) = score(root, folder)
    assert "chosen on val" in line
    client, experiment = connect(root)
    (run,) = find_runs(client, experiment, study=KEY, kind="trial")
    assert 0 < run.data.metrics["best/val_pr_auc"] < 1
    assert run.data.metrics["test/threshold"] != 0.5
    assert run.data.params["threshold"] == "val"
    with pytest.raises(ValueError, match="--threshold is for predictions without val tiles"):
        score(root, folder, "other", threshold=0.3)


def test_seeds_are_runs_of_one_row_and_more_may_follow(
    root: Path, tmp_path: Path, pack: Pack, split: Split
) -> None:
    folder = write_statements(tmp_path / "maps", split.hash)
    for seed in (0, 1):
        write_tiffs(folder / f"seed{seed}", pack, draw_maps(pack, split.test, seed=seed))
    assert len(score(root, folder)) == count_rows(root) == 2
    write_tiffs(folder / "seed2", pack, draw_maps(pack, split.test, seed=2))
    assert len(score(root, folder)) == count_rows(root) == 3
    results = open_target(root, None)
    seeds = {run.data.tags["seed"] for run in results.repeats if run.data.tags["study"] == KEY}
    assert seeds == {"0", "1", "2"}


def test_npz_files_and_one_npz_are_the_same_predictions_as_geotiffs(
    root: Path, maps: Path, tmp_path: Path, pack: Pack, split: Split
) -> None:
    drawn, digests = draw_maps(pack, split.test), []
    single = write_statements(tmp_path / "single", split.hash)
    for tile, values in drawn.items():
        np.savez(single / f"{tile}.npz", probs=values)
    whole = write_statements(tmp_path / "whole", split.hash)
    np.savez(whole / "predictions.npz", tile_ids=[*drawn], probs=np.stack([*drawn.values()]))
    for name, folder in (("a", maps), ("b", single), ("c", whole)):
        score(root, folder, name)
        client, experiment = connect(root)
        (run,) = find_runs(client, experiment, study=f"foreign:{name}", kind="trial")
        digests.append(run.data.tags["predictions"])
    assert len(set(digests)) == 1


def test_names_of_models_and_other_predictions_of_a_name_are_refused(
    root: Path, maps: Path, pack: Pack, split: Split
) -> None:
    for name in ("unet", "VanillaUNet", "LogRatioVV", "log_ratio_vv", "vanillaunet"):
        with pytest.raises(ValueError, match="name for foreign predictions must be their own"):
            score(root, maps, name)
    with pytest.raises(ValueError, match=r"must have at most 40 letters.*got '\.\./x'"):
        score(root, maps, "../x")
    score(root, maps)
    with pytest.raises(ValueError, match="already, with another made_by"):
        score(root, maps, provenance="somebody else")
    with pytest.raises(ValueError, match="already, with another threshold"):
        score(root, maps, threshold=0.25)
    write_tiffs(maps, pack, draw_maps(pack, split.test, seed=9))
    with pytest.raises(ValueError, match="One name stands for one set of predictions"):
        score(root, maps)
    assert count_rows(root) == 1
    score(root, maps, "prithvi-2")


def test_row_without_a_maker_is_refused(root: Path, maps: Path) -> None:
    (maps / "provenance.json").unlink()
    with pytest.raises(ValueError, match="must say who made it, but got neither --provenance nor"):
        score(root, maps)
    assert count_rows(root) == 0
    score(root, maps, provenance="a colleague, with GDAL")
    assert count_rows(root) == 1


def test_resumed_campaign_sends_foreign_rows_again_and_needs_none_of_them(
    root: Path, maps: Path
) -> None:
    score(root, maps)
    folder = campaign_folder(root, "own")
    client, experiment = connect(root)
    (run,) = find_runs(client, experiment, study=KEY, kind="trial")
    client.delete_run(run.info.run_id)
    sent = load_sender(folder).send_campaign(folder)
    assert (sent.unsent, count_rows(root)) == (0, 1)
    with lock_campaign(folder), pytest.raises(ValueError, match="is being run by"):
        score(root, maps, "later")


def test_tracker_alone_is_enough_where_the_campaign_s_folder_is_not_here(
    root: Path, maps: Path
) -> None:
    shutil.rmtree(root / "campaigns")
    score(root, maps)
    client, experiment = connect(root)
    (run,) = find_runs(client, experiment, study=KEY, kind="trial")
    assert (run.info.status, run.data.tags["origin"]) == ("FINISHED", "foreign")
    assert run.data.tags["campaign"] == "own"
    assert not (root / "campaigns").exists()


def test_every_fold_of_a_campaign_is_scored(tmp_path: Path, pack: Pack, split: Split) -> None:
    folds = [
        Split("blocks:2/1", split.train, split.val, split.test),
        Split("blocks:2/2", split.train, split.test, split.val),
    ]
    root = log_small_campaign(tmp_path / "mlruns", pack, folds)
    target = open_target(root, None)
    flat = write_statements(tmp_path / "flat", target.split_hash)
    write_tiffs(flat, pack, draw_maps(pack, (*split.test, *split.val)))
    assert all("given" in line for line in score(root, flat, "flat"))
    own = write_statements(tmp_path / "own", target.split_hash)
    for number, fold in enumerate(folds):
        tiles = (*fold.test, *fold.val)
        write_tiffs(own / f"blocks-2-{number + 1}", pack, draw_maps(pack, tiles, seed=number))
    assert all("chosen on val" in line for line in score(root, own, "own-maps"))
    folds = {model.title: [run.fold for run in model.by_seed[0]] for model in rank(root).models}
    assert folds["flat (foreign)"] == folds["own-maps (foreign)"] == ["blocks:2/1", "blocks:2/2"]
    shutil.rmtree(own / "blocks-2-2")
    with pytest.raises(
        ValueError, match="Each of 2 folds must have its folder, but got no blocks-2-2"
    ):
        score(root, own, "third")
