"""Tests of `tuning.matrix.report.write_report` and the page that it writes, on a planted matrix."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from tests.support.browsing import OVERFLOW, visit
from tuning.matrix.report.write_report import MatrixReport, write_matrix_report
from tuning.tracking.client import connect, find_runs


@pytest.fixture(scope="module")
def report(planted_root: Path, tmp_path_factory: pytest.TempPathFactory) -> MatrixReport:
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(planted_root, root, dirs_exist_ok=True)
    made = root / "reports" / "planted-train-0"
    made.mkdir(parents=True)
    (made / "report.html").write_text("a cell's report")
    return write_matrix_report(root)


def test_the_report_lies_in_the_folder_of_the_matrix_and_in_mlflow(report: MatrixReport) -> None:
    root = report.folder.parents[1]
    assert report.folder == root / "reports" / "planted"
    files = {file.name for file in report.folder.iterdir()}
    assert {"report.html", "matrix_cells.csv", "matrix_effects.csv", "Figures"} <= files
    client, experiment = connect(root)
    run = find_runs(client, experiment, kind="matrix")[0]
    logged = {file.path for file in client.list_artifacts(run.info.run_id, "report")}
    assert {"report/report.html", "report/matrix_cells.csv"} <= logged


def test_missing_and_partial_cells_are_named_in_sentences_page_and_table(
    report: MatrixReport,
) -> None:
    assert report.sentences[0] == (
        "This matrix is partial: of 5 cells 1 has no results and 1 lacks runs (channels=VH, train=0.5)."
    )
    assert report.missing == (
        "channels=VH: campaign planted-channels-2 has not begun.",
        "train=0.5: utae has 2 of 3 repeat runs.",
    )
    page = (report.folder / "report.html").read_text()
    assert "campaign planted-channels-2 has not begun." in page
    cells = pd.read_csv(report.folder / "matrix_cells.csv")
    gone = cells[cells["cell"] == "channels=VH"]
    assert gone["model"].tolist() == ["VanillaUNet", "UTAE"]
    assert set(gone["status"]) == {"missing"}
    assert gone["pr_auc_mean"].isna().all()
    assert cells[cells["cell"] == "train=0.5"]["seeds"].tolist() == [3, 2, 1]


def test_the_first_sentence_of_an_axis_has_its_largest_effect(report: MatrixReport) -> None:
    channels, train, family = report.sentences[1:]
    assert re.match(r"Without VH, the mean AP of the networks is lower by 0\.\d+ \(0", channels)
    assert train.startswith("With 25 % of the train tiles instead of all, the mean AP")
    assert "worse. Of the other levels of train, worse: 0.5 (" in train
    assert family.startswith("Confirmatory are 3 effects of the axis channels")


def test_the_table_of_cells_has_levels_scores_and_cost(report: MatrixReport) -> None:
    cells = pd.read_csv(report.folder / "matrix_cells.csv")
    assert len(cells) == 4 * 3 + 2
    first = cells.iloc[0]
    assert first[["cell", "axis/channels", "axis/train"]].tolist() == ["reference", "s1", 1.0]
    complete = cells[cells["status"] == "complete"]
    assert (complete["pr_auc_low"] < complete["pr_auc_mean"]).all()
    assert (complete["pr_auc_mean"] < complete["pr_auc_high"]).all()
    assert complete["f1_dice_mean"].between(0, 1).all()
    assert (complete["iou_mean"] < complete["f1_dice_mean"]).all()
    assert first[["trainings", "core_hours"]].tolist() == pytest.approx([3, 0.06])
    assert set(cells["data"].dropna()) == {"synthetic"}


def test_the_table_of_effects_has_both_p_values_and_the_method(report: MatrixReport) -> None:
    effects = pd.read_csv(report.folder / "matrix_effects.csv")
    tested = effects[effects["family"].notna()]
    assert (tested["p_adjusted"] >= tested["p"]).all()
    assert set(tested.groupby("family")["method"].first()) == {"Holm", "FDR"}
    assert set(effects["kind"]) == {"level", "mean", "interaction"}
    assert (tested["detectable"] > 2 * tested["error"]).all()
    assert set(effects["verdict"]) <= {"better", "worse", "equivalent", "undecided"}


def test_a_cells_report_is_linked_where_it_exists(report: MatrixReport) -> None:
    page = (report.folder / "report.html").read_text()
    assert '<a href="../planted-train-0/report.html">' in page
    assert "../planted-reference/report.html" not in page
    assert "<code>planted-reference</code>" in page


def test_another_folder_gets_no_links_to_reports(report: MatrixReport, tmp_path: Path) -> None:
    found = write_matrix_report(report.folder.parents[1], "planted", out=tmp_path / "other")
    assert found.folder == tmp_path / "other"
    assert "../planted-train-0" not in (found.folder / "report.html").read_text()
    for name in ("matrix_cells.csv", "matrix_effects.csv"):  # the same runs give the same numbers
        assert (found.folder / name).read_text() == (report.folder / name).read_text()


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_is_no_wider_than_the_window(
    report: MatrixReport, browser: Browser, width: int
) -> None:
    file = report.folder / "report.html"
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto(file.as_uri())
    assert opened.evaluate(OVERFLOW) <= 0
    opened.close()
    widths, complaints, requests = visit(browser, file)
    assert (complaints, requests) == ([], {file.as_uri()})
    assert min(widths) >= 500


def test_a_folder_that_may_only_be_read_gets_no_report(
    planted_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.matrix.report.write_report.is_read_only", lambda uri: True)
    with pytest.raises(PermissionError, match=r"into its matrix's folder, but .* copy the whole"):
        write_matrix_report(planted_root)
    assert (write_matrix_report(planted_root, out=tmp_path).folder / "report.html").is_file()
    client, experiment = connect(planted_root)
    run = find_runs(client, experiment, kind="matrix")[0]
    assert not client.list_artifacts(run.info.run_id, "report")  # nothing was logged
