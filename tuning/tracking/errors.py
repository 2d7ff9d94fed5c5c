"""MLflow's errors: what a user can do about them, and how a command reports them."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from data.io.errors import format_error, hide_password

DENIED = "PERMISSION_DENIED"
_REMEDIES = {
    "UNAUTHENTICATED": "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    DENIED: "Ask its administrator for the permission",
}
logger = logging.getLogger(__name__)


@contextmanager
def tracker_errors(uri: str) -> Iterator[None]:
    """Turn MLflow's errors into one that names the tracker and a remedy.

    Args:
        uri: The tracking URI; its password is not shown.

    Raises:
        ConnectionError: If MLflow raises anything.
    """
    try:
        yield
    except MlflowException as error:
        raise ConnectionError(
            f"The MLflow tracker must answer, but {hide_password(uri)} gave: {format_error(error)} "
            f"{_REMEDIES.get(error.error_code, 'Start it')}, or unset MLFLOW_TRACKING_URI to use the "
            "database in --root."
        ) from error


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


def end_command(work: Callable[[], int]) -> int:
    """Run a command's body; print a user's error to stderr in one line.

    Returns:
        The body's exit code, or 1 after an error.
    """
    try:
        return work()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except MlflowException as error:
        print(f"error: MLflow refused: {format_error(error)}", file=sys.stderr)
    return 1
