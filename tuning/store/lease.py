"""One writer at a time, also on several machines: a file lock beside a SQLite database, a lease on a server.

MLflow cannot compare and swap. A lease is a tag of the experiment with a key of its own; who has written its tag and
then sees no other live one holds the lease, else it withdraws and tries again after a random wait. Of two that write at
once, at least one reads the other's tag. A holder renews its lease, so that one left by a kill ends by itself.
"""

import json
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.errors import format_error
from data.io.lock import wait_for_lock
from tuning.store.database import SQLITE

logger = logging.getLogger(__name__)

LEASE = "lease"
LASTS_S, RENEWED_S = 90.0, 20.0  # clocks of machines may differ by less than their difference
WAITS_S = (0.5, 2.0)  # random, between two tries


@contextmanager
def lock_registry(client: MlflowClient, experiment_id: str) -> Iterator[None]:
    """Be the only one who registers models, moves aliases or writes a report on this tracker; wait for others.

    Args:
        client: MLflow client.
        experiment_id: Experiment of all campaigns.
    """
    message = "Waiting: another command registers models on this tracker."
    uri = str(client.tracking_uri)
    if uri.startswith(SQLITE):
        with wait_for_lock(Path(f"{uri.removeprefix(SQLITE)}.lock"), message):
            yield
        return
    with hold_lease(client, experiment_id, "registry", message):
        yield


@contextmanager
def hold_lease(
    client: MlflowClient, experiment_id: str, name: str, message: str = ""
) -> Iterator[None]:
    """Hold a lease on a server; wait as long as another process holds it.

    Args:
        client: MLflow client.
        experiment_id: The experiment that carries the lease.
        name: What only one process may do at a time.
        message: Logged if the lease is not free at once.
    """
    key = f"{LEASE}.{name}.{uuid4().hex}"
    while not _try(client, experiment_id, name, key):
        if message:
            logger.info("%s", message)
            message = ""
        time.sleep(random.uniform(*WAITS_S))  # noqa: S311 - not a secret
    ended = threading.Event()
    thread = threading.Thread(
        target=_renew, args=(client, experiment_id, key, ended), name=key, daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _withdraw(client, experiment_id, key)


def _try(client: MlflowClient, experiment_id: str, name: str, key: str) -> bool:
    if _find_live(client, experiment_id, name, key):
        return False
    _write(client, experiment_id, key)
    if not _find_live(client, experiment_id, name, key):
        return True
    _withdraw(client, experiment_id, key)
    return False


def _write(client: MlflowClient, experiment_id: str, key: str) -> None:
    own = {"host": socket.gethostname(), "pid": os.getpid(), "until": time.time() + LASTS_S}
    client.set_experiment_tag(experiment_id, key, json.dumps(own))


def _find_live(client: MlflowClient, experiment_id: str, name: str, own: str) -> list[str]:
    tags = client.get_experiment(experiment_id).tags
    keys = [key for key in tags if key.startswith(f"{LEASE}.{name}.") and key != own]
    return [key for key in keys if _is_live(tags[key])]


def _is_live(text: str) -> bool:
    """Return whether a lease holds; one of a process of this machine that is gone does not."""
    try:
        content: Mapping[str, Any] = json.loads(text)
        until, host, pid = float(content["until"]), content["host"], int(content["pid"])
    except (ValueError, TypeError, KeyError):
        return False
    if host == socket.gethostname() and not psutil.pid_exists(pid):
        return False
    return until > time.time()


def _renew(client: MlflowClient, experiment_id: str, key: str, ended: threading.Event) -> None:
    while not ended.wait(RENEWED_S):
        try:
            _write(client, experiment_id, key)
        except MlflowException as error:
            logger.warning("The lease %s was not renewed (%s).", key, format_error(error))


def _withdraw(client: MlflowClient, experiment_id: str, key: str) -> None:
    try:
        client.delete_experiment_tag(experiment_id, key)
    except MlflowException as error:
        logger.debug("The lease %s ends by itself (%s).", key, format_error(error))
