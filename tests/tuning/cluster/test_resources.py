"""Resources of a trial: what fits a node, what is larger, and how trials share a GPU."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from data.pack import Pack
from tests.support.settings import make_settings
from tuning.cluster import ray_session
from tuning.cluster.gpu_memory import find_heaviest, measure_footprint
from tuning.cluster.preflight import measure_gpu
from tuning.cluster.resources import (
    NodeResources,
    Resources,
    choose_resources,
    default_resources,
    gpu_fraction,
)
from tuning.train.fit import make_config_split
from tuning.train.training import Training
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import make_space

CPU, GPU = NodeResources(16, 0), NodeResources(8, 2)


def test_gpu_trials_divide_the_cores_of_the_gpu_nodes() -> None:
    assert default_resources(make_settings(trials=4, seeds=2), [CPU, GPU]) == Resources(2, 0.5)
    assert default_resources(make_settings(trials=4, seeds=2, gpus_per_trial=0), [CPU, GPU]) == (
        Resources(4, 0)
    )


def test_trial_larger_than_every_node_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"8 cores and 0 GPUs where a node has 4 cores.*wait-for-nodes"
    ):
        choose_resources(
            make_settings(cpus_per_trial=8), [NodeResources(4, 0), NodeResources(4, 0)]
        )


def test_enlarged_resources_fit_a_node() -> None:
    assert Resources(2, 0).enlarge([NodeResources(3, 0)]) == Resources(3, 0)
    assert Resources(3, 0).enlarge([NodeResources(3, 0)]) is None
    assert Resources(2, 0.5).enlarge([CPU, GPU]) == Resources(2, 1.0)
    assert Resources(9, 0.5).enlarge([CPU, GPU]) is None
    assert Resources(2, 1.0).enlarge([GPU]) is None


@pytest.mark.parametrize(("peak", "count"), [(1, 8), (13, 6), (30, 2), (79, 1), (80, 1)])
def test_gpu_runs_as_many_trials_as_fit_with_a_margin(peak: float, count: int) -> None:
    share = gpu_fraction(peak, 96)
    assert math.isclose(share, 1 / count)
    assert count * peak * 1.2 <= 96


def test_trial_larger_than_a_gpu_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must fit into a GPU, but got a peak of 90.0 GB where it has 96.0"
    ):
        gpu_fraction(90e9, 96e9)


def test_memory_of_stacked_seeds_is_the_sum_of_their_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = SimpleNamespace(remote=lambda *words: None)
    monkeypatch.setattr("tuning.cluster.preflight.ray.remote", lambda **how: lambda work: task)
    monkeypatch.setattr("tuning.cluster.preflight.ray.get", lambda task, timeout: (13e9, 96e9))
    shares = [measure_gpu({"model": "unet"}, "pack", None, seeds) for seeds in (1, 2, 6)]
    assert shares == pytest.approx([1 / 6, 1 / 3, 1])
    with pytest.raises(ValueError, match=r"a peak of 91\.0 GB .* --timesteps or --stack-seeds"):
        measure_gpu({"model": "unet"}, "pack", None, 7)


@pytest.mark.parametrize("model", ["unet", "attention_unet", "unet_convlstm"])
def test_heaviest_architecture_is_the_widest(model: str) -> None:
    space = make_space(model)
    heaviest = find_heaviest(model, space, 4, 4)
    widths: Any = space["arch.width"]
    assert heaviest["width"] == max(widths)
    assert set(heaviest) == {
        name.removeprefix("arch.") for name in space if name.startswith("arch.")
    }


def test_trial_step_writes_no_file(pack: Pack, config: Config, tmp_path: Any) -> None:
    trial_folder = TrialFolder(tmp_path / "trial")
    training = Training(
        config, pack, make_config_split(config, pack), trial_folder, torch.device("cpu")
    )
    before = [weights.detach().clone() for weights in training.model.parameters()]
    training.dry_run()
    after = list(training.model.parameters())
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert list(trial_folder.path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_memory_is_measured_on_a_gpu_only(pack: Pack, config: Config) -> None:
    with pytest.raises(
        ValueError, match=r"measured on a GPU, but this process has none. Set --gpus-per-trial"
    ):
        measure_footprint(config, str(pack.path), None)


def test_autoscaler_is_asked_for_a_node_until_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    nodes = iter([[NodeResources(1, 0)]] * 4 + [[NodeResources(1, 0), NodeResources(8, 1)]] * 9)
    monkeypatch.setattr(ray_session, "POLL_S", 0.0)
    monkeypatch.setattr(ray_session.ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray_session, "list_node_resources", lambda: next(nodes))
    monkeypatch.setattr(ray_session, "request_resources", lambda bundles: asked.append(bundles))
    settings = make_settings(cpus_per_trial=4, gpus_per_trial=0.5, wait_for_nodes=1)
    assert ray_session.start_ray(settings) == Resources(4, 0.5)
    assert asked == [[{"CPU": 4, "GPU": 1}], []]


def test_cluster_that_does_not_grow_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ray_session, "POLL_S", 0.0)
    monkeypatch.setattr(ray_session.ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray_session, "list_node_resources", lambda: [NodeResources(1, 0)])
    monkeypatch.setattr(ray_session, "request_resources", lambda bundles: asked.append(bundles))
    with pytest.raises(ValueError, match=r"must fit into one node, but got 4 cores"):
        ray_session.start_ray(make_settings(cpus_per_trial=4, wait_for_nodes=0.0005))
    assert asked == [[{"CPU": 4}], []]
    with pytest.raises(ValueError, match=r"must fit into one node"):
        ray_session.start_ray(make_settings(cpus_per_trial=4))
    assert len(asked) == 2  # no further request
