"""Copies of logged runs in MLflow's SQLite database: all their rows, with new ids, names and values.

Writing ten thousand runs through a client takes a quarter of an hour. A copy looks to a client like
a run that a client wrote (:func:`check_copy` verifies this), except that it has no artifacts.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mlflow.tracking import MlflowClient

Rows = list[list[Any]]
SCORES = ("pr_auc", "dice", "iou", "precision")


@dataclass(frozen=True)
class Template:
    """The rows of some runs.

    Attributes:
        columns: Names by table.
        rows: Rows by table.
        spots: By table, row, column and the *names* in it of each text that holds some.
        names: What a copy must have of its own: ids of runs, models and inputs, and further names.
    """

    columns: Mapping[str, list[str]]
    rows: Mapping[str, Rows]
    spots: Mapping[str, list[tuple[int, int, list[str]]]]
    names: tuple[str, ...]


def open_database(root: Path) -> sqlite3.Connection:
    """Open the database below *root*."""
    return sqlite3.connect(root / "mlflow.db")


def count_runs(database: sqlite3.Connection) -> int:
    """Count all runs."""
    return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])


def read_template(
    database: sqlite3.Connection, run_ids: Sequence[str], also: Sequence[str] = ()
) -> Template:
    """Read every row that names one of some runs or a model of theirs.

    Args:
        database: Of MLflow.
        run_ids: The runs.
        also: Further names that copies replace, such as the campaign's.
    """
    marks = ",".join("?" * len(run_ids))
    # Names of tables and columns are those of a database that the benchmark made; every value is bound.
    ask = f"SELECT model_id FROM logged_models WHERE source_run_id IN ({marks})"  # noqa: S608
    ids = [*run_ids, *(row[0] for row in database.execute(ask, run_ids))]
    columns, rows = {}, {}
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        described = database.execute(f"PRAGMA table_info({table})").fetchall()
        texts = [row[1] for row in described if row[2].startswith(("VARCHAR", "TEXT"))]
        texts = ["run_uuid"] if "run_uuid" in texts else texts  # no child that names its parent
        where = " OR ".join(f"{name} IN ({','.join('?' * len(ids))})" for name in texts) or "0"
        found = database.execute(f"SELECT * FROM {table} WHERE {where}", ids * len(texts))  # noqa: S608
        some = [list(row) for row in found]
        if some:
            columns[table], rows[table] = [row[1] for row in described], some
    place = columns["inputs"].index("input_uuid")
    own = [row[place] for row in rows["inputs"]]
    names = (*ids, *own, *also)
    spots = {
        table: [
            (number, column, held)
            for number, row in enumerate(some)
            for column, value in enumerate(row)
            if isinstance(value, str) and (held := [name for name in names if name in value])
        ]
        for table, some in rows.items()
    }
    return Template(columns, rows, spots, names)


def write_copy(
    database: sqlite3.Connection,
    template: Template,
    renamed: Mapping[str, str],
    changes: Mapping[str, Mapping[str, Any]],
    factor: float = 1.0,
) -> dict[str, str]:
    """Add a copy of the template's runs.

    Args:
        database: Of MLflow.
        template: What to copy.
        renamed: New names of *names*; those without one get a random id.
        changes: By table, new values by key, of params and tags; by column, of runs.
        factor: Scores are multiplied by it.

    Returns:
        All new names by the old ones.
    """
    renamed = {name: renamed.get(name) or _fresh(name) for name in template.names}
    for table, rows in template.rows.items():
        columns = template.columns[table]
        new = [list(row) for row in rows]
        for number, column, held in template.spots[table]:
            for old in held:
                new[number][column] = new[number][column].replace(old, renamed[old])
        _change(new, columns, changes.get(table, {}), factor)
        marks = ",".join("?" * len(columns))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", new)  # noqa: S608
    return renamed


def _change(rows: Rows, columns: list[str], changes: Mapping[str, Any], factor: float) -> None:
    if "status" in columns and "run_uuid" in columns:
        for name, text in changes.items():
            for row in rows:
                row[columns.index(name)] = text
    if "key" not in columns or "value" not in columns:
        return
    key, value = columns.index("key"), columns.index("value")
    for row in rows:
        if row[key] in changes:
            row[value] = str(changes[row[key]])
        elif isinstance(row[value], float) and row[key].endswith(SCORES):
            row[value] *= factor


def _fresh(name: str) -> str:
    if name.startswith("m-"):
        return f"m-{uuid4().hex}"
    return uuid4().hex if len(name) == 32 else str(uuid4())


def check_copy(client: MlflowClient, run_id: str, copy_id: str) -> None:
    """Raise if a copy differs from its original in more than names and values."""
    runs = [client.get_run(one) for one in (run_id, copy_id)]
    for part in ("params", "tags", "metrics"):
        old, new = (set(getattr(run.data, part)) for run in runs)
        if old != new:
            raise ValueError(f"A copy must have the same {part}, but {old ^ new} differ.")
    for name in runs[0].data.metrics:
        old, new = (
            [(one.step, one.timestamp) for one in client.get_metric_history(run, name)]
            for run in (run_id, copy_id)
        )
        if old != new:
            raise ValueError(f"A copy must have the same history, but that of {name} differs.")
    model = client.get_logged_model(runs[1].data.tags["model_uri"].removeprefix("models:/"))
    if model.source_run_id != copy_id or copy_id not in runs[1].info.artifact_uri:
        raise ValueError(f"A copy must have its own model and folder, but {copy_id} has not.")
