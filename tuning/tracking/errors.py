"""How a command that asks MLflow ends: what a user can mend is one line, and the exit code 1."""

import sys
from collections.abc import Callable

from mlflow.exceptions import MlflowException

from data.io.errors import format_error


def end_command(work: Callable[[], int]) -> int:
    """Do a command's work.

    Returns:
        Its exit code; 1 after an error, which is told on stderr.
    """
    try:
        return work()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except MlflowException as error:
        print(f"error: MLflow refused: {format_error(error)}", file=sys.stderr)
    return 1
