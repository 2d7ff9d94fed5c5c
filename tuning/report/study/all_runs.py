"""The section that lists every repeat run with its scores, its id and its address in MLflow."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.metrics.curve import average_precision
from tuning.metrics.scores import Confusion, f1_dice
from tuning.page.html import Folded, Link, Section, Table, Text
from tuning.report.results import ModelResult
from tuning.report.study.records import History
from tuning.report.sums.run_result import RunResult
from tuning.tracking.ui_links import run_address

TITLE = "All runs"
COLUMNS = ("model", "seed", "fold", "AP", "F1", "val AP", "threshold", "epoch kept", "run")
ABOUT = (
    "Every run behind the scores. A run's id leads to it in MLflow; `python -m tuning.reproduce RUN_ID` trains it again and prints "
    "the difference. `benchmark_runs.csv` in the page's folder has all scores of each."
)


def build_runs_section(
    models: Sequence[ModelResult], histories: Mapping[str, Sequence[History]], ui: str
) -> Section:
    """Build the section; the table is folded, since it has a row per model, seed and fold.

    Args:
        models: Ranked models.
        histories: Values per epoch of each network's seeds on the first fold.
        ui: Address of MLflow's pages.
    """
    rows = [_make_row(model, run, histories, ui) for model in models for run in model.runs]
    note = "F1 at the run's threshold, which was chosen on val. **Epoch kept**: the first with the highest val AP, of the first fold."
    table = Table(COLUMNS, rows, f"The {len(rows)} runs of this campaign on test", note)
    return Section(TITLE, [Text(ABOUT), Folded(f"Table of all {len(rows)} runs", [table])])


def _make_row(
    model: ModelResult, run: RunResult, histories: Mapping[str, Sequence[History]], ui: str
) -> list[Any]:
    info, chosen = run.run.info, Confusion(*map(int, run.at_val.sum(axis=0)))
    first = run in [runs[0] for runs in model.by_seed]
    epochs = {one.seed: one.best_epoch for one in histories.get(model.title, ())} if first else {}
    return [
        model.title,
        str(run.seed),
        run.fold,
        average_precision(run.counts),
        f1_dice(chosen),
        run.val_pr_auc,
        run.threshold,
        epochs.get(run.seed) or None,
        Link(info.run_id, run_address(ui, info.experiment_id, info.run_id)),
    ]
