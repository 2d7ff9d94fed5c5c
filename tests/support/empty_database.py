"""MLflow's empty database, made once and copied: MLflow makes each by all migrations of its history, in a second or two."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from mlflow.store.db import utils

from data.io.lock import wait_for_lock

MIGRATE = utils._initialize_tables


@contextmanager
def copy_databases(template: Path) -> Iterator[None]:
    """Let MLflow copy the tables of its empty SQLite databases in this process.

    Args:
        template: File of the database to copy; MLflow makes it when the first one is needed, also in another process.
    """

    def initialise(engine: sqlalchemy.Engine) -> None:
        file = engine.url.database
        if (
            engine.dialect.name != "sqlite"
            or not file
            or sqlalchemy.inspect(engine).get_table_names()
        ):
            MIGRATE(engine)
            return
        make_template(template)
        with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(file)) as target:
            source.backup(target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(utils, "_initialize_tables", initialise)
        yield


def make_template(file: Path) -> None:
    """Make an empty database with MLflow's migrations, unless it exists."""
    with wait_for_lock(file.with_suffix(".lock")):
        if file.exists():
            return
        engine = sqlalchemy.create_engine(f"sqlite:///{file}.part")
        MIGRATE(engine)
        engine.dispose()
        Path(f"{file}.part").rename(file)
