"""A cluster node's code, packages and connections: reported by a task on the node, compared by the driver."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

from data.io.errors import format_error
from data.io.shared_storage import SharedStorage
from data.pack.node_cache import PackSource, fetch_pack
from tuning.cluster.head import try_connection
from tuning.train.environment import hash_code
from tuning.trial.networks import ShippedNetwork, receive_networks

# Packages that a result depends on; others may differ between nodes.
PACKAGES = ("mlflow", "numpy", "optuna", "pandas", "ray", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class NodeQuery:
    """What a node has to check.

    Attributes:
        storage: Storage that all nodes share.
        token: Name of an object that the driver wrote there.
        tracker: URI of the MLflow server or its database; empty if only the driver's machine can use it.
        networks: Networks from outside this project, with their source files.
    """

    storage: SharedStorage
    token: str
    tracker: str = ""
    networks: tuple[ShippedNetwork, ...] = ()


@dataclass(frozen=True)
class NodeReport:
    """What a node found.

    Attributes:
        host: The node's name.
        code: Hash of the project's code there.
        python: Version of Python.
        versions: Version by package; empty for a missing package.
        storage: The storage's error; empty if it is shared.
        tracker: The tracker's error; empty if it can be reached.
        networks: Why a network from outside cannot be trained there, by its name.
    """

    host: str
    code: str
    python: str
    versions: Mapping[str, str]
    storage: str = ""
    tracker: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)


def list_package_versions() -> dict[str, str]:
    """Return the versions of ``PACKAGES``, empty for a missing package."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions


def report_node(query: NodeQuery, name: str = "") -> NodeReport:
    """Check this node.

    Args:
        query: What to check.
        name: The node's name; its marker on the storage ends with it.
    """
    return NodeReport(
        host=platform.node(),
        code=hash_code(),
        python=platform.python_version(),
        versions=list_package_versions(),
        storage=_try_storage(query, name),
        tracker=try_connection(query.tracker) if query.tracker else "",
        networks={one.name: error for one in query.networks if (error := _try_network(one))},
    )


def _try_network(network: ShippedNetwork) -> str:
    """Import a network on this node; return the error, empty without one."""
    try:
        receive_networks([network])
    except (OSError, ValueError) as error:
        return format_error(error)
    return ""


def _try_storage(query: NodeQuery, name: str) -> str:
    """Read the driver's object and write a marker for the driver; return the error, empty without one."""
    try:
        if query.storage.read(query.token) is None:
            return "it does not see what the driver writes there"
        query.storage.write(f"{query.token}-{name}", b"seen")
    except OSError as error:
        return format_error(error)
    return ""


def try_copy_pack(source: PackSource) -> str:
    """Copy a pack to this node; return the error, empty without one."""
    try:
        fetch_pack(source)
    except OSError as error:
        return format_error(error)
    return ""
