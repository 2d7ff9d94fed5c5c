"""The roll call of a cluster: every node is asked what it has, before a campaign begins, and given the pack."""

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
from tuning.cluster.node_info import Answer, Question, answer, hash_code, keep_pack, list_versions
from tuning.cluster.ray_session import list_nodes
from tuning.cluster.resources import share_of_gpu
from tuning.settings.settings import Settings
from tuning.trial.folder import Config

logger = logging.getLogger(__name__)

ASK_S = 120.0  # for a node's first task, whose worker imports torch
COPY_S = 1800.0  # for a pack on its way to a node
T = TypeVar("T")


def storage_of(root: Path, settings: Settings) -> SharedStorage:
    """Return the storage that all nodes share: the one asked for, else the output folder."""
    return SharedStorage(settings.storage or str(root.resolve()))


def check_nodes(storage: SharedStorage, tracker: str) -> None:
    """Ask every node whether a campaign can run on it, before any of it is run.

    Args:
        storage: What all nodes must share.
        tracker: Address of MLflow.

    Raises:
        ValueError: If a node differs or lacks something; the message has a line for each.
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
    marks = [f"{token}-{node['NodeID'][:12]}" for node in nodes]
    try:
        question = Question(storage, token, server)
        told = _ask(nodes, answer, lambda node: (question, node["NodeID"][:12]), ASK_S)
        for node, mark in zip(nodes, marks, strict=True):
            faults += compare_nodes(node, told[node["NodeID"]], storage, mark)
    finally:
        for mark in (token, *marks):
            storage.delete(mark)
    _raise_if(faults)
    logger.info(
        "Cluster: %d nodes with the same code, packages and storage: %s.",
        len(nodes),
        ", ".join(sorted({_name(node) for node in nodes})),
    )


def compare_nodes(
    node: Mapping[str, Any], told: Answer | Exception, storage: SharedStorage, mark: str
) -> list[str]:
    """Say what a node has other than the driver.

    Args:
        node: The node, as Ray describes it.
        told: Its answer, or why there is none.
        storage: What all nodes share.
        mark: Name of the object that the node should have left there.
    """
    if isinstance(told, Exception):
        why = _last_line(told)
        faults = [f"did not answer: {why} Look at it, or install the project on it."]
    else:
        faults = [*_compare_code(told), *_compare_reach(told, storage, mark)]
    return [f"node {_name(node)} {fault}" for fault in faults]


def _compare_code(told: Answer) -> Iterator[str]:
    own, here = list_versions(), platform.python_version()
    if told.code != hash_code():
        yield (
            f"has other code ({told.code}, here {hash_code()}). Put the same commit on it, then start "
            "its Ray again."
        )
    if told.python != here:
        yield f"has Python {told.python}, but here is {here}. Give it the same."
    if other := [name for name in own if told.versions[name] != own[name]]:
        theirs = ", ".join(f"{name} {told.versions[name] or 'none'}" for name in other)
        ours = ", ".join(f"{name} {own[name] or 'none'}" for name in other)
        yield f"has {theirs}, but here are {ours}. Install constraints.txt on it."


def _compare_reach(told: Answer, storage: SharedStorage, mark: str) -> Iterator[str]:
    if told.storage or storage.read(mark) is None:
        yield (
            f"does not share {hide_password(storage.uri)}: "
            f"{told.storage or 'what it writes there is not seen here'}. Give --root a folder that all "
            "nodes mount, or --storage a URI."
        )
    if told.tracker:
        yield (
            f"does not reach the tracker: {told.tracker}. Open its port to this node, or correct "
            "MLFLOW_TRACKING_URI."
        )


def spread(source: PackSource) -> None:
    """Give every node its copy of a pack, all at the same time.

    Raises:
        ValueError: If a node cannot have one.
    """
    nodes = list_nodes()
    told = _ask(nodes, keep_pack, lambda _: (source,), COPY_S)
    faults = []
    for node in nodes:
        why = told[node["NodeID"]]
        if why:
            faults.append(
                f"node {_name(node)} has no copy of {source.pack}: "
                f"{_last_line(why) if isinstance(why, Exception) else why}"
            )
    _raise_if(faults)


def measure_gpu(config: Config, pack: str, source: PackSource | None, seeds: int = 1) -> float:
    """Measure on a whole GPU what a process takes of it that trains seeds of a config at once; return the fraction.

    One is measured; more take as much each, or less, since they share tiles and context.

    Raises:
        ValueError: If it does not fit, or failed.
    """
    remote = ray.remote(num_cpus=1, num_gpus=1, max_retries=0)(measure_footprint)
    try:
        peak, total = ray.get(remote.remote(config, pack, source), timeout=COPY_S)
    except Exception as error:  # whatever it is, the user can do without
        raise ValueError(
            f"A trial of {config['model']} was tried on a GPU to see what it takes, but: {_last_line(error)} "
            "Give --gpus-per-trial, such as 1."
        ) from error
    share = share_of_gpu(seeds * peak, total)
    logger.info(
        "%s takes up to %.1f of %.1f GB of a GPU: %.3g GPUs for each trial.",
        config["model"] if seeds == 1 else f"{seeds} seeds of {config['model']}",
        seeds * peak / 1e9,
        total / 1e9,
        share,
    )
    return share


def _ask(
    nodes: Sequence[Mapping[str, Any]],
    task: Callable[..., T],
    words: Callable[[Mapping[str, Any]], tuple[Any, ...]],
    seconds: float,
) -> dict[str, T | Exception]:
    """Run a task on each of some nodes; return what each returned or raised, by its id."""
    remote = ray.remote(num_cpus=0, max_retries=0)(task)
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[node["NodeID"]] = remote.options(scheduling_strategy=there).remote(*words(node))
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=seconds)
    found: dict[str, T | Exception] = {}
    for node_id, reference in asked.items():
        try:
            found[node_id] = ray.get(reference, timeout=0)
        except Exception as error:  # noqa: BLE001 - whatever a node has, its line tells
            found[node_id] = error
    return found


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def _last_line(error: Exception) -> str:
    """Return what a task's error says; Ray puts its own words before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") + "." if lines else type(error).__name__


def _raise_if(faults: Sequence[str]) -> None:
    if faults:
        raise ValueError(
            "All nodes of a cluster must be able to run the same trials, but:\n  "
            + "\n  ".join(faults)
        )
