"""Errors of MLflow and its database in one sentence each, with the remedy."""

import sqlite3

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DatabaseError

from tuning.tracking.errors import describe_deleted_experiment, format_restore, tracker_errors

FILE = "sqlite:////data/my runs/mlflow.db"
SCHEMA = "Detected out-of-date database schema (found version {}, but expected dc11669786a5). Take a backup"
OLD, NEW = SCHEMA.format("acf3f17fdcc7"), SCHEMA.format("ffffffffffff")
UPGRADE = (
    "cp '/data/my runs/mlflow.db' '/data/my runs/mlflow.db.old' && python -m mlflow db upgrade "
)
UPGRADE += "'sqlite:////data/my runs/mlflow.db'"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (MlflowException(OLD), f"Keep a copy, then upgrade it: `{UPGRADE}`."),
        (MlflowException(NEW), "A newer MLflow than "),
        (
            sqlite3.DatabaseError("file is not a database"),
            "Put a copy of it back, or move it away (`mv '/data",
        ),
        (DatabaseError("q", {}, sqlite3.DatabaseError("malformed")), "Put a copy of it back"),
        (
            sqlite3.OperationalError("database is locked"),
            "`fuser '/data/my runs/mlflow.db'` names it",
        ),
        (MlflowException("attempt to write a readonly database"), "Ask its owner for write access"),
        (MlflowException("odd"), "See what it names"),
    ],
)
def test_error_of_a_database_has_its_own_remedy(error: Exception, remedy: str) -> None:
    with pytest.raises(ConnectionError) as told, tracker_errors(FILE):
        raise error
    text = str(told.value)
    assert text.startswith(f"The MLflow database must be usable, but {FILE} gave: ")
    assert remedy in text
    assert "MLFLOW_TRACKING_URI" not in text  # it is the database of --root
    assert len(text.splitlines()) == 1


def test_database_of_a_server_is_upgraded_without_its_password_shown() -> None:
    with pytest.raises(ConnectionError) as told, tracker_errors("postgresql://me:secret@db/x"):
        raise MlflowException(OLD)
    assert "upgrade it: `python -m mlflow db upgrade postgresql://db/x`" in str(told.value)


def test_deleted_experiment_is_named_with_the_command_that_restores_it() -> None:
    text = describe_deleted_experiment(FILE, "landslide-benchmark", "1")
    command = format_restore(FILE, "experiments", "1")
    assert command in text
    assert command == (
        "MLFLOW_TRACKING_URI='sqlite:////data/my runs/mlflow.db' python -m mlflow experiments restore "
        "--experiment-id 1"
    )
