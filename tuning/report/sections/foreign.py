"""The section on foreign predictions: how they compare with the campaign's own models, and where they come from."""

from tuning.page.html import Section, Table, Text
from tuning.report.context import ReportContext
from tuning.report.headline.pairs import PAIR_COLUMNS, make_pair_row, sort_pairs
from tuning.report.results import ModelResult
from tuning.trial.foreign.names import NOT_STATED
from tuning.trial.foreign.provenance import LABELS, load_provenance

ABOUT = (
    "Other programs made the probabilities of these rows; this project scored them on the same test tiles, labels and pixels as its own "
    "models, and did not train, run or time them. What they learnt from, and whether they saw labels of test tiles, is as their "
    "makers say."
)
PAIRS = (
    "Exploratory: the primary family is declared before any test tile is read, and these rows came later. Intervals and p-values hold for "
    "all pairs of these rows and the compared models together. Where a row has a single set of predictions, the statement is about "
    "these predictions, not about their method over seeds."
)
FROM_VAL = "chosen on val"
HASH_CHARS = 12  # of a hash on the page; the run has the whole one


def build_foreign_section(context: ReportContext) -> Section | None:
    """Build the section on foreign predictions; None if the campaign has none."""
    models = [model for model in context.ranking.models if model.is_foreign]
    if not models:
        return None
    blocks: list[Text | Table] = [Text(ABOUT)]
    if family := context.ranking.foreign:
        pairs = [make_pair_row(pair) for pair in sort_pairs(family.pairs)]
        blocks.append(Table(PAIR_COLUMNS, pairs, "Foreign predictions by AP", PAIRS))
    blocks += [_describe(model) for model in models]
    return Section("Foreign predictions", blocks)


def _describe(model: ModelResult) -> Table:
    """Return the table of what is known about one row."""
    stated = load_provenance(model.chosen.run.data.params)
    rows = [[label, getattr(stated, name)] for name, label in LABELS.items()]
    rows += [["threshold", describe_threshold(model)]]
    rows += [
        [f"SHA-256 of the predictions, seed {run.seed}, {run.fold}", _shorten(run.run.data.tags)]
        for run in model.runs
    ]
    return Table(["property", "value"], rows, f"Provenance of {model.title}")


def describe_threshold(model: ModelResult) -> str:
    """Say at which threshold a row is scored, and where it comes from."""
    values = sorted({f"{run.threshold:.3f}" for run in model.runs})
    chosen = model.chosen.run.data.params.get("threshold") == "val"
    return (
        f"{', '.join(values)}, {FROM_VAL if chosen else 'given; the predictions hold no val tiles'}"
    )


def _shorten(tags: dict[str, str]) -> str:
    text = tags.get("predictions", "")
    known = text.isascii() and text.isalnum()
    return f"{text[:HASH_CHARS]}…" if known else NOT_STATED
