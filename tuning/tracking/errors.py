"""MLflow's errors, in sentences that say what a user can do about them."""

import logging
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from data.command.explain import explains
from data.io.errors import format_error, hide_password
from tuning.store.database import SQLITE

DENIED = "PERMISSION_DENIED"
_SERVER_REMEDIES = {
    "UNAUTHENTICATED": "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    DENIED: "Ask its administrator for the permission",
}
_OLD_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")
_LOCKED, _READ_ONLY = "database is locked", "readonly database"
logger = logging.getLogger(__name__)


@contextmanager
def tracker_errors(uri: str) -> Iterator[None]:
    """Turn the errors of MLflow and of its database into one that names the tracker and a remedy.

    Args:
        uri: The tracking URI; its password is not shown.

    Raises:
        ConnectionError: If MLflow or its database raises anything.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        raise ConnectionError(describe_tracker_error(uri, error)) from error


def describe_tracker_error(uri: str, error: Exception) -> str:
    """Return one sentence on an error of MLflow or its database, and what to do.

    Args:
        uri: The tracking URI.
        error: The error of MLflow, SQLAlchemy or SQLite.
    """
    got = format_error(getattr(error, "orig", None) or error)
    is_file = uri.startswith(SQLITE)
    rule = "The MLflow database must be usable" if is_file else "The MLflow tracker must answer"
    remedy = _explain_schema(uri, str(error))
    if not remedy and is_file:
        remedy = _explain_database(uri, error)
    if not remedy:
        code = getattr(error, "error_code", "")
        remedy = f"{_SERVER_REMEDIES.get(code, 'Start it')}, or unset MLFLOW_TRACKING_URI to use the database in --root."
    return f"{rule}, but {hide_password(uri)} gave: {got.rstrip('.')}. {remedy}"


def _explain_schema(uri: str, text: str) -> str:
    """Return what to do about a database of another MLflow; empty for another error."""
    found = _OLD_SCHEMA.search(text)
    if found is None:
        return ""
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    if found[1] not in {script.revision for script in scripts.walk_revisions()}:
        return (
            f"A newer MLflow than {mlflow.__version__} made it: install that one (`python -m pip install --upgrade "
            "mlflow`)."
        )
    return f"An older MLflow made it. Keep a copy, then upgrade it: `{format_upgrade(uri)}`."


def format_upgrade(uri: str) -> str:
    """Return the shell command that upgrades a database to the installed MLflow, after a copy if it is a file."""
    upgrade = f"python -m mlflow db upgrade {shlex.quote(hide_password(uri))}"
    if not uri.startswith(SQLITE):
        return upgrade
    file = uri.removeprefix(SQLITE)
    return f"cp {shlex.quote(file)} {shlex.quote(f'{file}.old')} && {upgrade}"


def _explain_database(uri: str, error: Exception) -> str:
    """Return what to do about an error of a SQLite file; empty for an error that is not the file's."""
    text, file = str(error), uri.removeprefix(SQLITE)
    if _LOCKED in text:
        return f"Another program holds it: `fuser {shlex.quote(file)}` names it; wait, then run the command again."
    if _READ_ONLY in text:
        return "Ask its owner for write access, or copy the whole output folder and use the copy with --root."
    original = getattr(error, "orig", None) or error.__cause__ or error
    original = getattr(original, "orig", None) or original
    if isinstance(original, sqlite3.DatabaseError):
        return (
            f"Put a copy of it back, or move it away (`mv {shlex.quote(file)} {shlex.quote(f'{file}.damaged')}`); then "
            "`python -m tuning.run --resume NAME` makes a campaign's runs anew from its trials' folders."
        )
    return "See what it names, then run the command again."


def describe_deleted_experiment(uri: str, name: str, number: str) -> str:
    """Return one sentence on a deleted experiment, with the command that restores it."""
    return (
        f"The experiment {name!r} must exist in MLflow, but it was deleted in {hide_password(uri)}. Restore it: "
        f"`{format_restore(uri, 'experiments', number)}`."
    )


def format_restore(uri: str, kind: str, number: str) -> str:
    """Return the shell command that restores a deleted run or experiment.

    Args:
        uri: The tracking URI.
        kind: ``runs`` or ``experiments``.
        number: Its id.
    """
    option = {"runs": "--run-id", "experiments": "--experiment-id"}[kind]
    address = shlex.quote(hide_password(uri))
    return f"MLFLOW_TRACKING_URI={address} python -m mlflow {kind} restore {option} {number}"


@contextmanager
def explain_denied_access(target: str) -> Iterator[None]:
    """Log that *target* was not deleted if the server denies it, and go on.

    On a server with accounts, only the creator or an administrator may delete something.

    Raises:
        MlflowException: If MLflow raises anything else.
    """
    try:
        yield
    except MlflowException as error:
        if error.error_code != DENIED:
            raise
        logger.warning(
            "Not deleted: %s (permission denied). Its owner or an administrator can.", target
        )


@explains("mlflow", "sqlalchemy", "sqlite3", "alembic", "requests", "urllib3")
def explain_tracker(error: BaseException) -> str:
    """Explain an error of MLflow, of its database or of its server that no :func:`tracker_errors` has met."""
    text = format_error(getattr(error, "orig", None) or error)
    if isinstance(error, MlflowException):
        return f"MLflow refused: {text} {_SERVER_REMEDIES.get(error.error_code, '')}".strip()
    return f"The MLflow tracker failed: {text.rstrip('.')}. `python -m tuning.doctor` checks it."
