"""The SQLite database of an output folder: its addresses follow the folder, and who may only read gets a copy.

MLflow stores the absolute address of the artifacts with the experiment, each run and each logged model. After the
folder was moved, renamed or copied, these addresses would lead to the old place, so they are written anew before the
first use. A copy changes its own database alone; the original is neither read nor written.
"""

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from data.io.lock import find_other_holder

SQLITE = "sqlite:///"
EXPERIMENT = "landslide-benchmark"
ARTIFACTS = "artifacts"  # folder beside the database
MOVED_FROM = "artifacts_moved_from"  # tag of the experiment: the former address
# Columns that hold addresses below the experiment's.
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
TIMEOUT_S = 60
_READ_ONLY = "?mode=ro&uri=true"


def find_former_address(file: Path) -> str | None:
    """Return the former address of the artifacts if the database's folder was moved or copied, else None.

    Args:
        file: An existing database, which is only read.

    Raises:
        sqlite3.Error: If it cannot be read.
    """
    with _reading(file) as database:
        stored = _read_address(database)
    return stored if stored not in (None, _address(file)) else None


def find_deleted_experiment(file: Path) -> str | None:
    """Return the id of the experiment of all campaigns if it was deleted in a database, which is only read."""
    query = "SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'deleted'"
    with _reading(file) as database:
        if not _list_columns(database, "experiments"):
            return None
        row = database.execute(query, (EXPERIMENT,)).fetchone()
    return str(row[0]) if row else None


def follow_folder(file: Path) -> str | None:
    """Make the addresses of a database lead to the folder in which it lies now.

    Args:
        file: The database ``mlflow.db`` of an output folder.

    Returns:
        The former address; None if the folder was not moved.

    Raises:
        FileNotFoundError: If the artifacts were left behind.
        OSError: If another process is at work in the folder under its former path.
        sqlite3.Error: If the database cannot be read or written.
    """
    former = find_former_address(file)
    if former is None:
        return None
    _check_move(file, former)
    with closing(sqlite3.connect(file, timeout=TIMEOUT_S, isolation_level=None)) as database:
        _rewrite(database, _address(file))
    return former


def _address(file: Path) -> str:
    return (file.resolve().parent / ARTIFACTS).as_uri()


def _read_address(database: sqlite3.Connection) -> str | None:
    """Return the address of the experiment's artifacts; None if there is none, or another kind than a folder's."""
    if not _list_columns(database, "experiments"):
        return None
    query = "SELECT artifact_location FROM experiments WHERE name = ?"
    row = database.execute(query, (EXPERIMENT,)).fetchone()
    found = str(row[0]) if row and row[0] else ""
    return found if found.startswith(("file:", "/")) else None


def _list_columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


def _check_move(file: Path, former: str) -> None:
    folder = file.resolve().parent
    old = Path(former.removeprefix("file://"))
    if not (folder / ARTIFACTS).is_dir() and old.is_dir():
        raise FileNotFoundError(
            f"An output folder is moved or copied as a whole, but {folder} has no {ARTIFACTS}/, which stayed in "
            f"{old}. Copy that folder too, or set MLFLOW_TRACKING_URI={SQLITE}{file} to leave it there."
        )
    for lock in sorted(folder.glob("campaigns/*/lock")):
        if holder := find_other_holder(lock):
            raise OSError(
                f"A running campaign's folder keeps its path, but {folder} was {old.parent} when {lock.parent.name} "
                f"was begun by {holder}. Wait for it, or stop it first."
            )


def _rewrite(database: sqlite3.Connection, address: str) -> None:
    """Replace the former address in every column, in one transaction, which also keeps other processes out."""
    database.execute("BEGIN IMMEDIATE")
    former = _read_address(database)
    if former in (None, address):  # another process was faster
        database.execute("ROLLBACK")
        return
    for table, column in ADDRESSES:
        if column in _list_columns(database, table):
            database.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - fixed names
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (address, len(former) + 1, former, len(former) + 1, f"{former}/"),
            )
    query = "SELECT experiment_id FROM experiments WHERE name = ?"
    (number,) = database.execute(query, (EXPERIMENT,)).fetchone()
    columns = "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)"
    database.execute(columns, (MOVED_FROM, former, number))
    database.execute("COMMIT")


def is_writable(file: Path) -> bool:
    """Return whether this user may write a database: the file, and the log files that SQLite makes beside it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def copy_for_reading(file: Path) -> str:
    """Copy a database that this user may only read; return the tracking URI of the copy, which MLflow cannot change.

    Even to read a database with a write-ahead log, SQLite must write beside it. The copy is deleted at the end of the
    process, and has the addresses of the folder in which the original lies.

    Raises:
        OSError: If it cannot be read.
        sqlite3.Error: If it is damaged.
    """
    folder = Path(tempfile.mkdtemp(prefix="landslide-tracker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / file.name
    with _reading(file) as source, closing(sqlite3.connect(copy, isolation_level=None)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        if _list_columns(target, "experiments"):
            _rewrite(target, _address(file))
    return f"{SQLITE}file:{quote(str(copy))}{_READ_ONLY}"


def is_read_only(tracking_uri: str) -> bool:
    """Return whether a tracking URI is that of a copy for reading."""
    return tracking_uri.startswith(f"{SQLITE}file:") and tracking_uri.endswith(_READ_ONLY)


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database without writing anything, also beside it."""
    log = file.with_name(f"{file.name}-wal")
    # Without a log nobody writes, and SQLite needs no lock.
    mode = "mode=ro" if log.exists() else "immutable=1"
    with closing(sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True)) as database:
        database.execute("PRAGMA query_only=ON")
        yield database


def enable_wal(file: Path) -> None:
    """Turn on write-ahead logging, a property that the file keeps: seven times as many single writes per second."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
