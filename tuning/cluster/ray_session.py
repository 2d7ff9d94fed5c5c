"""Ray: a local one started, or a cluster joined; what its nodes have."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray import tune
from ray.autoscaler.sdk import request_resources

from data.io.errors import format_error
from data.io.processes import count_cpus
from tuning.cluster.resources import NodeResources, Resources, choose_share, share_out
from tuning.settings.settings import Settings

logger = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 200 << 20  # trials pass files, not objects
LOOK_S = 2.0  # between two looks at a cluster that grows


def quiet_ray() -> None:
    """Set what Ray reads from the environment before it starts."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths mean what they say
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault(
        "TUNE_DISABLE_SIGINT_HANDLER", "1"
    )  # or Ctrl-C would start the next stage
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")  # a stopped trial has none
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")  # the trials' folders are the journal
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    logging.getLogger("ray.tune").setLevel(
        logging.CRITICAL
    )  # the mirror says what failed, in a line


def start_ray(settings: Settings) -> Resources:
    """Start or join Ray, unless this process has; return each trial's share of it.

    Raises:
        ValueError: If no node could hold a trial.
        ConnectionError: If the cluster does not answer.
    """
    quiet_ray()
    if not ray.is_initialized():
        join_cluster(settings.address) if settings.address else start_local()
    _wait_for_nodes(settings)
    return share_out(settings, list_node_resources())


def start_local() -> None:
    """Start a Ray of this process alone, on the cores that it may use."""
    ray.init(
        "local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        num_cpus=count_cpus(),
        object_store_memory=OBJECT_STORE_BYTES,
    )


def join_cluster(address: str) -> None:
    """Join a running cluster.

    Raises:
        ConnectionError: If it does not answer.
    """
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConnectionError(
            f"A Ray cluster must answer at {address}, but: {format_error(error)} Start it, set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN_PATH where it asks for a token, or leave --address out and RAY_ADDRESS unset."
        ) from error


def _wait_for_nodes(settings: Settings) -> None:
    """Let a cluster that grows add a node that holds a trial, for as long as the user said."""
    deadline = time.monotonic() + 60 * settings.wait_for_nodes
    share = choose_share(settings, list_node_resources())
    if share.fits(list_node_resources()) or time.monotonic() > deadline:
        return
    logger.info("Waiting for a node with %g cores and %g GPUs.", share.cpus, share.gpus)
    bundle = {"CPU": share.cpus} | ({"GPU": share.gpus} if share.gpus else {})
    request_resources(bundles=[{name: max(1, round(need)) for name, need in bundle.items()}])
    while not share.fits(list_node_resources()) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    request_resources(bundles=[])  # the trials' own demand keeps the node, or brings it back


def stop_ray() -> None:
    """Leave Ray; a local one ends."""
    ray.shutdown()


def list_nodes() -> list[Mapping[str, Any]]:
    """List the nodes that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def request(share: Resources) -> tune.PlacementGroupFactory:
    """Turn a share into what Ray places; a trial without a GPU keeps off the nodes that have one, if it fits elsewhere."""
    bundle = [{"CPU": share.cpus, "GPU": share.gpus}]
    having = [node for node in list_nodes() if node["Resources"].get("GPU")]
    others = [room for room in list_node_resources() if not room.gpus]
    if share.gpus or not having or not share.fits(others):
        return tune.PlacementGroupFactory(bundle)
    kept_off = ",".join(node["NodeID"] for node in having)
    return tune.PlacementGroupFactory(
        bundle, bundle_label_selector=[{"ray.io/node-id": f"!in({kept_off})"}]
    )


def list_node_resources() -> list[NodeResources]:
    """List what each node has."""
    every = [node["Resources"] for node in list_nodes()]
    return [NodeResources(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in every]
