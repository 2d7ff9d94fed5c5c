"""Functions that run on Ray in workers of this process's own node, so that they see its files, beside the trials."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tuning.cluster.ray_session import list_nodes

Tag = TypeVar("Tag")

RETRIES = 1  # of a task whose worker died


class LocalTasks(Generic[Tag]):
    """Tasks on this process's node, each with a tag by which its result is known.

    Args:
        cpus: Cores of a task.
    """

    def __init__(self, cpus: float) -> None:
        self._cpus, self._node = cpus, ray.get_runtime_context().get_node_id()
        self._running: dict[Any, Tag] = {}  # by Ray's reference of the result

    def __len__(self) -> int:
        return len(self._running)

    @property
    def fit(self) -> bool:
        """Whether the node has the cores of a task; the head of some clusters has none."""
        cores = [n["Resources"].get("CPU", 0.0) for n in list_nodes() if n["NodeID"] == self._node]
        return bool(sum(cores) >= self._cpus)

    def submit(self, tag: Tag, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function when the cores are free."""
        here = NodeAffinitySchedulingStrategy(self._node, soft=False)
        task = ray.remote(function).options(
            num_cpus=self._cpus, scheduling_strategy=here, max_retries=RETRIES
        )
        self._running[task.remote(*arguments)] = tag

    def take(self, timeout_s: float = 0.0) -> list[tuple[Tag, Any]]:
        """Return the tag and the result of each task that has ended since the last call; the error of one that failed.

        Args:
            timeout_s: Longest wait for the first.
        """
        if not self._running:
            return []
        ended, _ = ray.wait(list(self._running), timeout=timeout_s)
        return [(self._running.pop(one), _get(one)) for one in ended]


def _get(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayTaskError as error:
        return error.cause  # as it was raised there
    except ray.exceptions.RayError as error:  # the worker died
        return error
