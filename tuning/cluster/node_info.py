"""What one node of a cluster has and reaches; told by a task that runs there, compared by the driver."""

import hashlib
import platform
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from data.io.errors import format_error, hide_password
from data.io.shared_storage import SharedStorage
from data.pack.node_cache import PackSource, fetch_pack

HOME = Path(__file__).parents[2]
PARTS = ("data", "models", "tuning")
# What a result depends on; the rest of a node's packages may differ.
PACKAGES = ("mlflow", "numpy", "optuna", "pandas", "ray", "scipy", "scikit-learn", "torch")
ANSWER_S = 5.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True)
class Question:
    """What the driver asks of each node.

    Attributes:
        depot: Storage that all nodes share.
        token: Name of an object that the driver wrote there.
        tracker: Address of the MLflow server or its database, empty where only the driver's machine has it.
    """

    depot: SharedStorage
    token: str
    tracker: str = ""


@dataclass(frozen=True)
class Answer:
    """What a node told.

    Attributes:
        host: Its name.
        code: Hash of the project's code there.
        python: Version of Python.
        versions: Version by package; empty for one that is missing.
        storage: What is wrong with the storage; empty where it is shared.
        tracker: What is wrong with the tracker.
    """

    host: str
    code: str
    python: str
    versions: Mapping[str, str]
    storage: str = ""
    tracker: str = ""


@cache
def hash_code(home: Path = HOME) -> str:
    """Hash the project's code and the data that it carries, as twelve hex digits."""
    digest = hashlib.sha256()
    for part in PARTS:
        for file in sorted((home / part).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(home).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def list_versions() -> dict[str, str]:
    """List the versions of the packages that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def answer(question: Question, place: str = "") -> Answer:
    """Answer the driver's question on this node.

    Args:
        question: What is asked.
        place: A name for this node, under which it leaves a mark on the storage.
    """
    return Answer(
        host=platform.node(),
        code=hash_code(),
        python=platform.python_version(),
        versions=list_versions(),
        storage=_try_storage(question, place),
        tracker=knock(question.tracker) if question.tracker else "",
    )


def _try_storage(question: Question, place: str) -> str:
    """Read what the driver wrote, and leave a mark for the driver; return what went wrong."""
    try:
        if question.depot.read(question.token) is None:
            return "it does not see what the driver writes there"
        question.depot.write(f"{question.token}-{place}", b"seen")
    except OSError as error:
        return format_error(error)
    return ""


def knock(address: str, tries: int = 2) -> str:
    """Connect to an address' host and port; return what went wrong, empty where it answers."""
    parts = urlsplit(address)
    port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    if not parts.hostname or not port:
        return f"it has no host and port: {hide_password(address)}"
    for left in range(tries, 0, -1):
        try:
            socket.create_connection((parts.hostname, port), timeout=ANSWER_S).close()
            return ""
        except OSError as error:
            if left == 1:
                return f"{parts.hostname}:{port} does not answer ({format_error(error)})"
            time.sleep(1)
    return ""


def keep_pack(source: PackSource) -> str:
    """Give this node its copy of a pack; return what went wrong."""
    try:
        fetch_pack(source)
    except OSError as error:
        return format_error(error)
    return ""
