"""Functions on Ray in workers of this node."""

import os
from collections.abc import Iterator

import pytest

from tests.support.settings import make_settings
from tuning.cluster.local_tasks import LocalTasks
from tuning.cluster.ray_session import count_slots, list_node_resources, start_ray, stop_ray
from tuning.cluster.resources import NodeResources, Resources

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[Resources]:
    yield start_ray(make_settings())
    stop_ray()


def divide(a: int, b: int) -> tuple[float, int]:
    return a / b, os.getpid()


def take_all(tasks: LocalTasks[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    while len(tasks):
        found |= dict(tasks.take(timeout_s=60.0))
    return found


def test_each_task_s_result_or_error_has_its_tag() -> None:
    tasks = LocalTasks[str](1.0)
    assert tasks.fit
    assert not LocalTasks[str](1e6).fit
    tasks.submit("half", divide, 1, 2)
    tasks.submit("none", divide, 1, 0)
    assert len(tasks) == 2
    found = take_all(tasks)
    value, process = found["half"]  # type: ignore[misc]
    assert value == 0.5
    assert process != os.getpid()
    assert isinstance(found["none"], ZeroDivisionError)
    assert tasks.take() == []


def test_slots_are_counted_on_each_node_for_the_least_need() -> None:
    node = NodeResources(cpus=4.0, gpus=1.0)
    assert node.count(Resources(1.0, 0.25)) == 4
    assert node.count(Resources(1.0, 0.5)) == 2
    assert node.count(Resources(3.0, 0.0)) == 1
    cores = sum(int(one.cpus) for one in list_node_resources())
    assert count_slots([Resources(1.0, 0.0), Resources(2.0, 0.0)]) == cores
