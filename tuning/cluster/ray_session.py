"""Ray's session: starts a local one or joins a cluster, and lists the nodes and their resources."""

import logging
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray import tune
from ray.autoscaler.sdk import request_resources

from data.command.account import private_folder
from data.command.explain import explains
from data.io.errors import format_error
from data.io.processes import count_cpus
from tuning.cluster.head import check_head, no_cluster
from tuning.cluster.resources import NodeResources, Resources, choose_resources, default_resources
from tuning.settings.settings import Settings

logger = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 200 << 20  # trials pass files, not objects
_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 - the name of a variable
_TEMPORARY = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - as Ray chooses it
POLL_S = 2.0  # between two checks of an autoscaling cluster


def quiet_ray() -> None:
    """Set Ray's environment variables, before it starts."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # keeps relative paths valid
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault(
        "TUNE_DISABLE_SIGINT_HANDLER", "1"
    )  # otherwise Ctrl-C would start the next stage
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault(
        "TUNE_DISABLE_STRICT_METRIC_CHECKING", "1"
    )  # a stopped trial reports none
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")  # a resume reads the trials' folders
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    logging.getLogger("ray.tune").setLevel(
        logging.CRITICAL
    )  # the callback logs failures in one line


def start_ray(settings: Settings) -> Resources:
    """Start Ray or join a cluster, unless this process has a session; return the resources of a trial.

    Raises:
        ValueError: If a trial fits into no node.
        ConnectionError: If the cluster does not answer.
    """
    quiet_ray()
    if not ray.is_initialized():
        join_cluster(settings.address) if settings.address else start_local()
    _wait_for_nodes(settings)
    return choose_resources(settings, list_node_resources())


def start_local() -> None:
    """Start a local session for this process, on the cores that it may use, for this user alone.

    Ray listens on every network interface, whatever address its node is given; whoever connects without the token is
    refused. A token that Ray makes itself can be read by every user of the machine.

    Raises:
        OSError: If the token cannot be written.
    """
    _set_token()
    ray.init(
        "local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        num_cpus=count_cpus(),
        object_store_memory=OBJECT_STORE_BYTES,
    )


def _set_token() -> None:
    """Let Ray require a token from a file that only this user can read, unless the user has chosen otherwise."""
    chosen = os.environ.get("RAY_AUTH_MODE", "token") != "token"
    if chosen or os.environ.get("RAY_AUTH_TOKEN") or os.environ.get(_TOKEN_PATH):
        return
    file = private_folder() / "ray-token"
    if not file.exists():
        aside = file.with_name(f".{os.getpid()}.token")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(secrets.token_hex(32))
        os.replace(aside, file)
    file.chmod(0o600)
    os.environ[_TOKEN_PATH] = str(
        file
    )  # Ray itself sets RAY_AUTH_MODE, which it reads when it is imported


def join_cluster(address: str) -> None:
    """Join a running cluster.

    Raises:
        ConnectionError: If it does not answer; within ten seconds if nothing does at its address.
    """
    check_head(address)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise no_cluster(address, format_error(error)) from error


@explains("ray")
def explain_ray(error: BaseException) -> str:
    """Explain an error of Ray that is none of a trial."""
    return (
        f"Ray failed: {type(error).__name__}: {format_error(error)} Its logs are in {_TEMPORARY}/ray/session_latest/logs; "
        "`python -m tuning.doctor` checks whether it starts."
    )


def _wait_for_nodes(settings: Settings) -> None:
    """Wait up to ``--wait-for-nodes`` minutes until the cluster's autoscaler adds a node for a trial."""
    deadline = time.monotonic() + 60 * settings.wait_for_nodes
    trial = default_resources(settings, list_node_resources())
    if trial.fits(list_node_resources()) or time.monotonic() > deadline:
        return
    logger.info("Waiting for a node with %g cores and %g GPUs.", trial.cpus, trial.gpus)
    bundle = {"CPU": trial.cpus} | ({"GPU": trial.gpus} if trial.gpus else {})
    request_resources(bundles=[{name: max(1, round(need)) for name, need in bundle.items()}])
    while not trial.fits(list_node_resources()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    request_resources(bundles=[])  # from here on, the trials' own requests keep the node


def stop_ray() -> None:
    """Leave the session; a local one ends."""
    ray.shutdown()


def list_nodes() -> list[Mapping[str, Any]]:
    """List the live nodes, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def make_placement(resources: Resources) -> tune.PlacementGroupFactory:
    """Return the placement of a trial; one without a GPU avoids GPU nodes if it fits into another node."""
    bundle = [{"CPU": resources.cpus, "GPU": resources.gpus}]
    gpu_nodes = [node for node in list_nodes() if node["Resources"].get("GPU")]
    cpu_nodes = [node for node in list_node_resources() if not node.gpus]
    if resources.gpus or not gpu_nodes or not resources.fits(cpu_nodes):
        return tune.PlacementGroupFactory(bundle)
    excluded = ",".join(node["NodeID"] for node in gpu_nodes)
    return tune.PlacementGroupFactory(
        bundle, bundle_label_selector=[{"ray.io/node-id": f"!in({excluded})"}]
    )


def count_slots(needs: Sequence[Resources]) -> int:
    """Count the trials that run at once, if all have the least of some resources."""
    least = min(needs, key=lambda need: (need.gpus, need.cpus))
    return sum(node.count(least) for node in list_node_resources())


def list_node_resources() -> list[NodeResources]:
    """List the cores and GPUs of each live node."""
    nodes = [node["Resources"] for node in list_nodes()]
    return [NodeResources(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes]
