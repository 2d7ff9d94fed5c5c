"""Creates that a tracker does once, also when it has done the work and its answer is lost.

MLflow's client repeats every request by itself, POSTs too: after a timeout, a broken connection, and the answers 408,
429, 500, 502, 503 and 504 (``allowed_methods=None`` in ``mlflow.utils.request_utils``). A gateway gives such answers
after the work is done, so each repeated create made one more run. Here a create is one request. After any error the
caller's look-up decides whether it was done.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mlflow.exceptions import MlflowException

RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
ATTEMPTS = 3
LOOKUPS_S = (0.0, 1.0, 3.0)  # before each look-up: the tracker may still be at work
# The tracker has refused; asking again does not help.
REFUSED = frozenset(
    (
        *("BAD_REQUEST", "ENDPOINT_NOT_FOUND", "INVALID_PARAMETER_VALUE", "INVALID_STATE"),
        *("PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST", "UNAUTHENTICATED"),
    )
)
T = TypeVar("T")
_environment = threading.RLock()


def create_once(create: Callable[[], T], find: Callable[[], T | None]) -> T:
    """Create something on the tracker, or find what an unanswered request has created.

    Args:
        create: Sends one request, and raises if the answer does not name what was created.
        find: Looks for what *create* makes, by its key; None if there is none.

    Returns:
        What was created or found.

    Raises:
        Exception: *create*'s error, if the tracker refused, or has nothing after ``ATTEMPTS`` requests.
    """
    attempt = 1
    while True:
        try:
            with single_requests():
                return create()
        except Exception as error:
            refused = isinstance(error, MlflowException) and error.error_code in REFUSED
            found = _look_up(find, error, LOOKUPS_S[:1] if refused else LOOKUPS_S)
            if found is not None:
                return found
            if refused or attempt == ATTEMPTS:
                raise
            attempt += 1


def _look_up(find: Callable[[], T | None], error: Exception, waits: tuple[float, ...]) -> T | None:
    for wait in waits:
        time.sleep(wait)
        try:
            found = find()
        except Exception:  # noqa: BLE001 - no answer at all: the create's error says more
            raise error from None
        if found is not None:
            return found
    return None


def do_once(act: Callable[[], object], is_done: Callable[[], bool]) -> None:
    """Change something that a second request would refuse or double, such as a deletion.

    Raises:
        Exception: *act*'s error, if *is_done* says that nothing was changed.
    """
    create_once(lambda: (act(), True)[1], lambda: is_done() or None)


@contextmanager
def single_requests() -> Iterator[None]:
    """Let MLflow's client send each request once; its settings are variables of the environment, read per request.

    A request of another thread meanwhile is not repeated either, which loses nothing: every caller tries again later.
    """
    with _environment:
        before = os.environ.get(RETRIES)
        os.environ[RETRIES] = "0"
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(RETRIES)
            else:
                os.environ[RETRIES] = before


def check_id(text: str | None, what: str) -> str:
    """Return an id from a tracker's answer.

    Raises:
        MlflowException: If it is empty: an answer that is not MLflow's, such as a gateway's ``{}``.
    """
    if not text:
        raise MlflowException(f"A tracker must answer with the id of the {what}, but gave none.")
    return text
