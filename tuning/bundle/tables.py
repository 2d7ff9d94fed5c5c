"""The tables of a bundle: as stored, as recomputed, and the numbers that differ.

The same functions that write the report's tables recompute them, from sums over tiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from math import isnan
from pathlib import Path

import pandas as pd

from data.io.safe_json import read_text, refused_error
from tuning.report.ranking import Ranking
from tuning.report.tables import (
    COSTS,
    make_comparison_rows,
    make_model_row,
    make_run_rows,
)
from tuning.store.provenance import PROVENANCE

MASTER, RUNS, PAIRWISE = "benchmark_master.csv", "benchmark_runs.csv", "pairwise.csv"
SEARCHES = "search_trials.csv"  # stored, not recomputed
FOLDER = "tables"
MAX_SHOWN = 80  # characters of a cell in a message
# Columns whose values together name a row.
KEYS = {
    MASTER: ("model",),
    RUNS: ("model", "seed", "fold"),
    PAIRWISE: ("metric", "family", "a", "b"),
}
# Columns that no release leaves out; others may be newer than the bundle.
NEEDED = {
    MASTER: {"rank", "pr_auc_mean", "pr_auc_low", "pr_auc_high", "f1_dice_mean", "iou_mean"},
    RUNS: {"pr_auc", "tp", "fp", "fn", "tn"},
    PAIRWISE: {"difference", "low", "high", "p", "verdict"},
}
# Another processor may add up in another order, which moves the last digits.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
CALIBRATED = 1e-6  # of scores after a calibration, which is fitted in steps
LOGGED = frozenset(
    (
        *COSTS,
        *PROVENANCE,
        *("infer_seconds_total", "infer_seconds_per_sample", "weights_path", "run_id", "origin"),
    )
)


@dataclass(frozen=True)
class Difference:
    """A cell that is not as stored; *stored* or *recomputed* is empty where there is no such cell."""

    table: str
    row: str
    column: str
    stored: str
    recomputed: str

    def __str__(self) -> str:
        stored, recomputed = (
            one[:MAX_SHOWN] or "nothing" for one in (self.stored, self.recomputed)
        )
        return f"{self.table}, {self.row}, {self.column}: stored {stored}, recomputed {recomputed}"


def is_logged(column: str) -> bool:
    """Return whether a column repeats what a run logged: no count of a bundle can show that it is right."""
    return column in LOGGED or column.startswith(("early_", "late_"))


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of an unpacked bundle, every cell as its text; those that a campaign may lack are left out.

    Raises:
        RefusedError: If a table is missing or no CSV.
    """
    tables = {}
    for name in (*KEYS, SEARCHES):
        file = folder / FOLDER / name
        if file.is_file():
            tables[name] = parse_table(read_text(file), name)
        elif name in KEYS:
            raise refused_error(f"A bundle must have {FOLDER}/{name}", "none", folder.name)
    return tables


def parse_table(text: str, name: str) -> pd.DataFrame:
    """Parse CSV with every cell as its text, empty for a missing one.

    Raises:
        RefusedError: If it is no CSV, lacks a column that names its rows, or names one twice.
    """
    try:
        table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=list(KEYS.get(name, ())))  # a single model has no pair
    except (pd.errors.ParserError, ValueError) as error:
        raise refused_error("A table must be CSV", error, name) from error
    keys = list(KEYS.get(name, ()))
    if not set(keys) <= set(table.columns) or table.duplicated(keys or None).any():
        rule = f"A table's rows must be named by {', '.join(keys) or 'all columns'}, each once"
        raise refused_error(rule, ", ".join(table.columns[:5]), name)
    return table


def recompute_tables(ranking: Ranking) -> dict[str, pd.DataFrame]:
    """Return the tables that follow from a ranking, every cell as the text that a report writes."""
    rows = {
        MASTER: [make_model_row(model, ranking) for model in ranking.models],
        RUNS: make_run_rows(ranking.models),
        PAIRWISE: make_comparison_rows(ranking),
    }
    return {
        name: parse_table(pd.DataFrame(made).to_csv(index=False), name)
        for name, made in rows.items()
    }


def list_taken(
    stored: Mapping[str, pd.DataFrame], recomputed: Mapping[str, pd.DataFrame]
) -> list[str]:
    """Return the columns that no count can show to be right: what runs logged, and what the report added."""
    columns = {
        str(column)
        for name, table in recomputed.items()
        for column in stored[name].columns
        if column not in table.columns or is_logged(str(column))
    }
    return sorted(columns)


def compare_tables(
    stored: Mapping[str, pd.DataFrame], recomputed: Mapping[str, pd.DataFrame]
) -> tuple[int, list[Difference]]:
    """Compare every recomputed cell with the stored one; a column that an earlier release did not write is left out.

    Returns:
        The number of compared numbers and words that follow from counts, and the cells that differ.
    """
    compared, differences = 0, []
    for name, table in recomputed.items():
        keys = list(KEYS[name])
        old, new = (_by_key(one, keys) for one in (stored[name], table))
        for row in [*new, *(key for key in old if key not in new)]:
            before, now = old.get(row, {}), new.get(row, {})
            if not before or not now:
                there = ("", "a row") if now else ("a row", "")
                differences.append(Difference(name, row, "the row", *there))
                continue
            shared = [one for one in now if one in before or one in NEEDED[name]]
            compared += sum(not is_logged(column) for column in shared)
            differences += [
                Difference(name, row, column, before.get(column, ""), now[column])
                for column in shared
                if not is_same(before.get(column), now[column], column)
            ]
    return compared, differences


def _by_key(table: pd.DataFrame, keys: list[str]) -> dict[str, dict[str, str]]:
    return {
        " ".join(str(record[key]) for key in keys): {
            str(name): str(cell) for name, cell in record.items()
        }
        for record in table.to_dict("records")
    }


def is_same(stored: str | None, recomputed: str, column: str = "") -> bool:
    """Return whether two cells are equal, but for the last digits of a number."""
    if stored is None or stored == recomputed:
        return stored is not None
    try:
        before, now = float(stored), float(recomputed)
    except ValueError:
        return False
    relative = CALIBRATED if "_calibrated" in column else RELATIVE
    both_missing = isnan(before) and isnan(now)
    return both_missing or abs(before - now) <= max(ABSOLUTE, relative * max(abs(before), abs(now)))
