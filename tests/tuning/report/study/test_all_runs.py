"""The table of all runs: a row per model, seed and fold, with its address."""

from tests.support.fold_results import make_layers, make_model
from tuning.page.html import Folded, Link, Table
from tuning.report.study.all_runs import build_runs_section
from tuning.report.study.records import VAL_AP, History

UI = "http://127.0.0.1:5000"


def test_every_run_has_a_row_that_leads_to_it() -> None:
    model = make_model(make_layers(2), {0: 1.0, 1: 0.9}, (42, 123))
    histories = {"VanillaUNet": [History(42, {VAL_AP: (0.1, 0.3, 0.2)}), History(123, {})]}
    _, folded = build_runs_section([model], histories, UI).blocks
    assert isinstance(folded, Folded)
    (table,) = folded.blocks
    assert isinstance(table, Table)
    assert [row[1:3] for row in table.cells] == [[str(run.seed), run.fold] for run in model.runs]
    links = [row[-1] for row in table.rows]
    assert all(isinstance(link, Link) and link.address.startswith(UI) for link in links)
    ids = [run.run.info.run_id for run in model.runs]
    assert [str(link) for link in links] == ids
    assert all(f"/runs/{name}" in link.address for name, link in zip(ids, links, strict=True))


def test_the_kept_epoch_is_shown_for_the_fold_whose_curves_are_known() -> None:
    model = make_model(make_layers(2), {0: 1.0, 1: 0.9}, (42,))
    histories = {"VanillaUNet": [History(42, {VAL_AP: (0.1, 0.3, 0.2)})]}
    _, folded = build_runs_section([model], histories, UI).blocks
    assert isinstance(folded, Folded)
    (table,) = folded.blocks
    assert isinstance(table, Table)
    assert [row[-2] for row in table.cells] == ["2", "–"]  # noqa: RUF001
