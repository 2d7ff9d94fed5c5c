"""Check of the MLflow tracker: the SQLite database in the output folder, a server, or another database."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import mlflow
import psutil
from alembic.script import ScriptDirectory
from mlflow.entities import ViewType

from data.io.errors import hide_password
from tuning.cluster.head import try_connection
from tuning.doctor.check_result import CheckResult, failure, nearest_folder, passed, warning
from tuning.store.database import (
    EXPERIMENT,
    SQLITE,
    find_deleted_experiment,
    find_former_address,
)
from tuning.tracking.client import URI_VARIABLE, tracking_uri
from tuning.tracking.errors import format_restore, format_upgrade, tracker_errors

TIMEOUT_S = 5  # a campaign locks its database for milliseconds
# SQLite's write-ahead log does not work on these file systems, because its readers share memory.
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"}
NETWORK |= {"glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse"}


def check_tracker(root: Path) -> CheckResult:
    """Check the tracker that a campaign in *root* would use."""
    uri = tracking_uri(root)
    if uri.startswith(SQLITE):
        return check_sqlite(Path(uri.removeprefix(SQLITE)), root)
    shown = hide_password(uri)
    if error := try_connection(uri):  # MLflow itself would retry for minutes
        return failure(
            f"the tracker {shown} cannot be reached: {error}",
            f"Start it, correct {URI_VARIABLE} (http(s)://HOST:PORT, {SQLITE}FILE or a database's URI), or unset it.",
        )
    if not uri.startswith(("http://", "https://")):
        return passed(f"{shown} accepts connections")  # a client would create its tables
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    try:
        with tracker_errors(uri):
            client = mlflow.MlflowClient(uri)
            deleted = client.search_experiments(
                ViewType.DELETED_ONLY, max_results=1, filter_string=f"name = '{EXPERIMENT}'"
            )
    except ConnectionError as error:
        return failure(str(error), f"Check {URI_VARIABLE} and the server's log.")
    for experiment in deleted:
        if experiment.name == EXPERIMENT and experiment.lifecycle_stage == "deleted":
            return _refuse_deleted(uri, str(experiment.experiment_id))
    return passed(f"{shown} answers")


def find_file_system(path: Path, mounts: Iterable[tuple[str, str]] | None = None) -> str:
    """Return the type of the file system that holds an existing path, such as ``ext4``.

    Args:
        path: An existing path.
        mounts: Mount points and their file systems; those of this machine if None.
    """
    if mounts is None:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    parents = [(len(Path(at).parts), kind) for at, kind in mounts if path.is_relative_to(at)]
    # Of several mounts on one point, the last one is visible.
    return max(reversed(parents), key=lambda pair: pair[0])[1] if parents else "unknown"


def check_sqlite(
    file: Path, root: Path, mounts: Iterable[tuple[str, str]] | None = None
) -> CheckResult:
    """Check a SQLite database without creating or changing it."""
    folder = nearest_folder(file)
    if (kind := find_file_system(folder.resolve(), mounts)) in NETWORK:
        return failure(
            f"{file} is on a network file system ({kind}), which SQLite's write-ahead log does not support",
            f"--root FOLDER on a local disk, or a server: {URI_VARIABLE}=http://HOST:PORT",
        )
    if file.exists():
        return _check_sqlite_file(file)
    creatable = folder in (file.parent.absolute(), nearest_folder(root))
    if not creatable or not os.access(folder, os.W_OK):
        return failure(
            f"{file} cannot be created: its folder must exist and be writable",
            f"mkdir -p {file.parent}, or choose another folder with --root.",
        )
    return passed(f"{file} (not created yet)")


def _check_sqlite_file(file: Path) -> CheckResult:
    """Check that a database can be written, and that its schema is the one that the installed MLflow requires."""
    try:
        uri = f"file:{quote(str(file))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S)) as database:
            database.isolation_level = None
            database.execute("BEGIN IMMEDIATE")  # take a writer's lock, and release it unused
            database.execute("ROLLBACK")
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            query = "SELECT version_num FROM alembic_version"
            row = database.execute(query).fetchone() if "alembic_version" in tables else None
    except sqlite3.DatabaseError as error:
        return failure(
            f"{file} must be a writable database, but got: {error}",
            f"'fuser {file}' names the programs that lock it; 'mv {file} {file}.damaged' starts a new one.",
        )
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    needed, schema = scripts.get_current_head(), row[0] if row else "none"
    if tables and schema != needed:
        return failure(
            f"{file} must have MLflow {mlflow.__version__}'s schema {needed}, but has {schema}",
            f"{format_upgrade(f'{SQLITE}{file}')}, or install the MLflow that created it.",
        )
    if number := find_deleted_experiment(file):
        return _refuse_deleted(f"{SQLITE}{file}", number)
    if former := find_former_address(file):
        return warning(
            f"{file} was moved or copied: its runs' files were below {former.removeprefix('file://')}",
            "None is needed: the next command that opens it writes the addresses anew, in this folder alone.",
        )
    return passed(f"{file}, writable")


def _refuse_deleted(uri: str, number: str) -> CheckResult:
    return failure(
        f"the experiment {EXPERIMENT!r} was deleted in {hide_password(uri)}",
        format_restore(uri, "experiments", number),
    )
