"""Preflight of a cluster: checks every node before a campaign begins, copies the pack, measures GPU memory."""

import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data.io.errors import hide_password
from data.io.shared_storage import SharedStorage
from data.pack.node_cache import PackSource
from tuning.cluster.gpu_memory import measure_footprint
from tuning.cluster.node_info import (
    NodeQuery,
    NodeReport,
    list_package_versions,
    report_node,
    try_copy_pack,
)
from tuning.cluster.ray_session import list_nodes
from tuning.cluster.resources import gpu_fraction
from tuning.settings.settings import Settings
from tuning.train.environment import hash_code
from tuning.trial.folder import Config
from tuning.trial.networks import ShippedNetwork

logger = logging.getLogger(__name__)

CHECK_S = 120.0  # limit of a node's first task, whose worker imports torch
COPY_S = 1800.0  # limit of the copy of a pack to a node
T = TypeVar("T")


def get_storage(root: Path, settings: Settings) -> SharedStorage:
    """Return the storage that all nodes share: ``--storage``, by default the output folder."""
    return SharedStorage(settings.storage or str(root.resolve()))


def check_nodes(
    storage: SharedStorage, tracker: str, networks: tuple[ShippedNetwork, ...] = ()
) -> dict[str, str]:
    """Check that a campaign can run on every node, before any data is made.

    Args:
        storage: Storage that all nodes must share.
        tracker: MLflow's tracking URI.
        networks: Networks from outside this project, which every node must be able to build.

    Returns:
        Why a network from outside cannot be trained on every node, by its name.

    Raises:
        ValueError: If a node differs from the driver or lacks something; the message has a line for each fault.
        OSError: If this process cannot use the storage.
    """
    nodes, token = list_nodes(), f".nodes-{uuid4().hex}"
    server = "" if tracker.startswith("sqlite:") else tracker
    faults = []
    if not server and len(nodes) > 1:
        faults.append(
            f"the tracker must be a server where {len(nodes)} nodes work together, but got "
            f"{hide_password(tracker)}. Start one (docker/README.md) and set MLFLOW_TRACKING_URI."
        )
    storage.write(token, b"the driver's")
    markers = [f"{token}-{node['NodeID'][:12]}" for node in nodes]
    try:
        query = NodeQuery(storage, token, server, networks)
        reports = _run_on(nodes, report_node, lambda node: (query, node["NodeID"][:12]), CHECK_S)
        for node, marker in zip(nodes, markers, strict=True):
            faults += find_faults(node, reports[node["NodeID"]], storage, marker)
    finally:
        for marker in (token, *markers):
            storage.delete(marker)
    _raise_if(faults)
    logger.info(
        "Cluster: %d nodes with the same code, packages and storage: %s.",
        len(nodes),
        ", ".join(sorted({_name(node) for node in nodes})),
    )
    return _find_refused(nodes, reports)


def _find_refused(
    nodes: Sequence[Mapping[str, Any]], reports: Mapping[str, NodeReport | Exception]
) -> dict[str, str]:
    """Return a sentence for each network from outside that a node cannot build."""
    refused: dict[str, str] = {}
    for node in nodes:
        report = reports[node["NodeID"]]
        for name, error in report.networks.items() if isinstance(report, NodeReport) else ():
            refused.setdefault(
                name,
                f"Every node must build the same network {name}, but node {_name(node)} does not: {error}",
            )
    return refused


def find_faults(
    node: Mapping[str, Any], report: NodeReport | Exception, storage: SharedStorage, marker: str
) -> list[str]:
    """Return a line for each way in which a node differs from the driver.

    Args:
        node: The node, as Ray describes it.
        report: The node's report, or the error of its task.
        storage: Storage that all nodes share.
        marker: Name of the object that the node should have written there.
    """
    if isinstance(report, Exception):
        error = _last_line(report)
        faults = [f"did not answer: {error} Check it, or install the project on it."]
    else:
        faults = [*_compare_code(report), *_check_connections(report, storage, marker)]
    return [f"node {_name(node)} {fault}" for fault in faults]


def _compare_code(report: NodeReport) -> Iterator[str]:
    versions, python = list_package_versions(), platform.python_version()
    if report.code != hash_code():
        yield (
            f"has other code ({report.code}, here {hash_code()}). Put the same commit on it, then start "
            "its Ray again."
        )
    if report.python != python:
        yield f"has Python {report.python}, but here is {python}. Install the same version."
    if different := [name for name in versions if report.versions[name] != versions[name]]:
        theirs = ", ".join(f"{name} {report.versions[name] or 'none'}" for name in different)
        ours = ", ".join(f"{name} {versions[name] or 'none'}" for name in different)
        yield f"has {theirs}, but here are {ours}. Install constraints.txt on it."


def _check_connections(report: NodeReport, storage: SharedStorage, marker: str) -> Iterator[str]:
    if report.storage or storage.read(marker) is None:
        yield (
            f"does not share {hide_password(storage.uri)}: "
            f"{report.storage or 'the driver does not see what it writes there'}. Choose a --root that "
            "all nodes mount, or a --storage URI."
        )
    if report.tracker:
        yield (
            f"does not reach the tracker: {report.tracker}. Open its port to this node, or correct "
            "MLFLOW_TRACKING_URI."
        )


def copy_pack_to_nodes(source: PackSource) -> None:
    """Copy a pack to every node, in parallel.

    Raises:
        ValueError: If a copy fails; the message has a line for each node.
    """
    nodes = list_nodes()
    errors = _run_on(nodes, try_copy_pack, lambda _: (source,), COPY_S)
    faults = []
    for node in nodes:
        if error := errors[node["NodeID"]]:
            text = _last_line(error) if isinstance(error, Exception) else error
            faults.append(f"node {_name(node)} has no copy of {source.pack}: {text}")
    _raise_if(faults)


def measure_gpu(config: Config, pack: str, source: PackSource | None, seeds: int = 1) -> float:
    """Measure the fraction of a GPU that a process needs to train *seeds* seeds of a config at once.

    One seed is measured on a whole GPU; each further seed needs at most as much, because all share tiles and context.

    Raises:
        ValueError: If the seeds do not fit into the GPU, or the measurement fails.
    """
    remote = ray.remote(num_cpus=1, num_gpus=1, max_retries=0)(measure_footprint)
    try:
        peak, total = ray.get(remote.remote(config, pack, source), timeout=COPY_S)
    except Exception as error:  # --gpus-per-trial avoids the measurement
        raise ValueError(
            f"A trial of {config['model']} must run on a GPU to measure its memory, but: {_last_line(error)} "
            "Set --gpus-per-trial, for example to 1."
        ) from error
    fraction = gpu_fraction(seeds * peak, total)
    logger.info(
        "%s needs up to %.1f of a GPU's %.1f GB: %.3g GPUs per process.",
        config["model"] if seeds == 1 else f"{seeds} seeds of {config['model']}",
        seeds * peak / 1e9,
        total / 1e9,
        fraction,
    )
    return fraction


def _run_on(
    nodes: Sequence[Mapping[str, Any]],
    task: Callable[..., T],
    make_args: Callable[[Mapping[str, Any]], tuple[Any, ...]],
    timeout_s: float,
) -> dict[str, T | Exception]:
    """Run a task on each node; return its result or its exception, by node id."""
    remote = ray.remote(num_cpus=0, max_retries=0)(task)
    references = {}
    for node in nodes:
        affinity = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        options = remote.options(scheduling_strategy=affinity)
        references[node["NodeID"]] = options.remote(*make_args(node))
    ray.wait(list(references.values()), num_returns=len(references), timeout=timeout_s)
    results: dict[str, T | Exception] = {}
    for node_id, reference in references.items():
        try:
            results[node_id] = ray.get(reference, timeout=0)
        except Exception as error:  # noqa: BLE001 - the node's line in the message has the error
            results[node_id] = error
    return results


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def _last_line(error: Exception) -> str:
    """Return the last line of a task's error; Ray's own text comes before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else type(error).__name__


def _raise_if(faults: Sequence[str]) -> None:
    if faults:
        raise ValueError(
            "All nodes of a cluster must be able to run the same trials, but:\n  "
            + "\n  ".join(faults)
        )
