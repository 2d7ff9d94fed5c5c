"""Check of a sqlite database of MLflow's: its place, its pages, its schema, and who else writes."""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import mlflow
import psutil
from alembic.script import ScriptDirectory

from tuning.doctor.finding import CheckResult, fail, nearest_folder, ok, try_write
from tuning.tracking.client import SQLITE, URI_VARIABLE, database_file

LOCK_S = 5  # a campaign writes for milliseconds
CHECK_S = 30  # for the whole file; 1 GB takes a few seconds from a disk
# File systems over a network. SQLite's write-ahead log needs memory that its readers share.
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"}
NETWORK |= {"glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse"}


def find_kind(path: Path, mounts: Iterable[tuple[str, str]] | None = None) -> str:
    """Return the kind of file system that a path lies on, such as ``ext4``.

    Args:
        path: An existing path.
        mounts: Mount points with their kinds; this machine's when left out.
    """
    if mounts is None:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    path = path.resolve()
    found = [(len(Path(at).parts), kind) for at, kind in mounts if path.is_relative_to(at)]
    # The last of those mounted on one point is the one that is seen.
    return max(reversed(found), key=lambda pair: pair[0])[1] if found else "unknown"


def check_database(
    file: Path, root: Path, mounts: Iterable[tuple[str, str]] | None = None
) -> CheckResult:
    """Check a sqlite database, and change nothing in it; it is not made where it is missing."""
    place = nearest_folder(file)
    if (kind := find_kind(place, mounts)) in NETWORK:
        return fail(
            f"{file} lies on a network file system ({kind}), where its write-ahead log does not work",
            f"--root FOLDER on a disk of this machine, or a server: {URI_VARIABLE}=http://HOST:PORT",
        )
    if database_file(f"{SQLITE}{file}"):
        return _look_into(file)
    if file.exists():
        return fail(f"{file} must be a file", "Rename it, or give another --root.")
    if place != file.parent.absolute() and file.parent.absolute() != root.absolute():
        return fail(f"the folder of {file} is missing", f"mkdir -p {file.parent}")
    if why := try_write(place):
        return fail(f"{file} cannot be made in {place}: {why}", "Give another --root.")
    return ok(f"{file}, which will be made ({kind})")


def _look_into(file: Path) -> CheckResult:
    """Check an existing database: whole, of this MLflow's schema, and free to be written."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=LOCK_S)
        ) as database:
            database.isolation_level = None
            damage = _check_pages(database)
            if damage:
                return fail(f"{file} is damaged: {damage}", _move_aside(file))
            database.execute("BEGIN IMMEDIATE")  # a writer's lock, given back without a write
            database.execute("ROLLBACK")
            return _check_schema(database, file)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return fail(
                f"{file} has been locked by another program for {LOCK_S} s",
                f"fuser {file} names it; end it, or give another --root.",
            )
        return fail(f"{file} cannot be written: {error}", f"ls -l {file}; give another --root.")
    except sqlite3.DatabaseError as error:
        return fail(f"{file} is damaged: {error}", _move_aside(file))


def _move_aside(file: Path) -> str:
    return f"mv {file} {file}.damaged starts anew; sqlite3 {file}.damaged .recover rescues what is whole."


def _check_pages(database: sqlite3.Connection) -> str:
    """Look through the file's pages for some seconds; return the first damage found."""
    end = time.monotonic() + CHECK_S
    database.set_progress_handler(lambda: time.monotonic() > end, 100_000)
    try:
        row = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return ""  # so large a file shows damage when it is used
    finally:
        database.set_progress_handler(None, 0)
    return "" if row[0] == "ok" else str(row[0]).splitlines()[-1]


def _check_schema(database: sqlite3.Connection, file: Path) -> CheckResult:
    """Compare the schema with the one of the MLflow that is installed, which would refuse another."""
    uri, size = f"{SQLITE}{file}", f"{file.stat().st_size / 1e6:.1f} MB"
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return ok(f"{file}, {size}, still without tables")
    if not {"alembic_version", "runs"} <= tables:
        return fail(
            f"{file} is no database of MLflow's", f"mv {file} elsewhere, or give another --root."
        )
    (there,) = database.execute("SELECT version_num FROM alembic_version").fetchone() or ("none",)
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    if there != (head := scripts.get_current_head()):
        known = there in {script.revision for script in scripts.walk_revisions()}
        upgrade = f"cp {file} {file}.old && python -m mlflow db upgrade {uri}"
        return fail(
            f"{file} has the schema {there} of {'an older' if known else 'a newer'} MLflow; "
            f"{mlflow.__version__} needs {head}",
            upgrade if known else "Install the MLflow that made it, or a newer one.",
        )
    (runs,) = database.execute("SELECT count(*) FROM runs").fetchone()
    return ok(f"{file}, {size}, {runs} runs, whole and free to be written")
