"""Runs read in bulk from MLflow's sqlite database, where that is the tracker.

MLflow's client makes an object of every tag, param and metric: 2 ms a run, so that ten thousand search trials would take a
third of a report's minute. Here the columns that are asked for are read at once, from the four tables that have held
runs since MLflow keeps them in a database. Nothing is written.
"""

import math
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Record:
    """What is asked of a run: its id, status, all its params, and the tags and metrics that were named."""

    run_id: str
    status: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def read_records(
    file: Path,
    experiment_id: str,
    wanted: Mapping[str, str],
    tags: Collection[str],
    metrics: Collection[str],
) -> list[Record]:
    """Read the runs of an experiment, without the deleted ones, oldest first.

    Args:
        file: MLflow's database.
        experiment_id: The experiment.
        wanted: Tags that a run must have, with their values.
        tags: Names of the tags to read.
        metrics: Names of the metrics to read, the latest value of each.
    """
    runs = "SELECT run_uuid FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'"
    runs += " AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)" * len(wanted)
    chosen: list[Any] = [int(experiment_id), *(text for pair in wanted.items() for text in pair)]
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA query_only = ON")
        ask = f"SELECT run_uuid, status FROM runs WHERE run_uuid IN ({runs})"  # noqa: S608 - no value
        found = database.execute(f"{ask} ORDER BY start_time, run_uuid", chosen)
        records = {run_id: Record(run_id, status) for run_id, status in found}
        for run_id, key, value in _read(database, "params", "value", runs, chosen):
            records[run_id].params[key] = value
        for run_id, key, value in _read(database, "tags", "value", runs, chosen, tuple(tags)):
            records[run_id].tags[key] = value
        number = "CASE is_nan WHEN 1 THEN NULL ELSE value END"
        for run_id, key, value in _read(
            database, "latest_metrics", number, runs, chosen, tuple(metrics)
        ):
            records[run_id].metrics[key] = math.nan if value is None else value
    return list(records.values())


def _read(
    database: sqlite3.Connection,
    table: str,
    value: str,
    runs: str,
    chosen: Sequence[Any],
    keys: Sequence[str] | None = None,
) -> Iterator[tuple[str, str, Any]]:
    """Read run, key and value of a table's rows, of some *keys* where they are given."""
    # Table and column are this module's own words; every value is bound.
    ask = f"SELECT run_uuid, key, {value} FROM {table} WHERE run_uuid IN ({runs})"  # noqa: S608
    if keys is not None:
        ask += f" AND key IN ({','.join('?' * len(keys))})"
    return database.execute(ask, [*chosen, *(keys or ())])
