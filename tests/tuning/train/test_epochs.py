"""Epochs on preloaded tiles equal the host's epochs, without waiting for the device."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from data.io.durable import write_atomically
from data.io.safe_checkpoint import load_tensors
from data.pack import Pack
from data.pack.augmentation import Augment
from data.pack.dataset import TileDataset
from data.pack.gpu_dataset import GpuDataset
from data.pack.normalisation import make_normalisation
from data.splits import Split
from tuning.metrics.histogram import count_bins, to_probs
from tuning.train.cuda_graphs import GraphedCall, GraphStream
from tuning.train.device_metrics import DeviceMetrics
from tuning.train.epochs import DeviceEpochRunner, HostEpochRunner
from tuning.train.fit import make_config_split
from tuning.train.training import BadTrialError, Training
from tuning.train.training_data import TrainingData
from tuning.trial.folder import Config, Row, TrialFolder

CPU = torch.device("cpu")
EVERYTHING = Augment(turn=1, crop=64, speckle=1.0, jitter=0.5, drop=0.3, cut=0.5)


def make_training(config: Config, pack: Pack, folder: Path) -> Training:
    """Make a training with tiles preloaded onto its device, here the CPU."""
    split = make_config_split(config, pack)
    data = TrainingData.make(config, pack, split, CPU, preload=True)
    return Training(config, pack, split, TrialFolder(folder), CPU, data=data)


def on_host(training: Training) -> Training:
    """Replace the runner by the host's."""
    device = training.runner
    assert isinstance(device, DeviceEpochRunner)
    training.runner = HostEpochRunner(
        training.step, training.data, Augment(), training.generator, training.check_loss
    )
    return training


def run_epochs(training: Training, epochs: int) -> None:
    for _ in range(epochs):
        training.run_epoch()


def values(row: Row) -> dict[str, float]:
    return {name: row[name] for name in row if name.startswith(("train", "val", "lr"))}


def test_device_epochs_equal_host_epochs(config: Config, pack: Pack, tmp_path: Path) -> None:
    config["arch"] |= {"dropout": 0.2}
    device = make_training(config, pack, tmp_path / "device")
    host = on_host(make_training(config, pack, tmp_path / "host"))
    found = []
    for training in (device, host):
        torch.manual_seed(5)  # dropout
        found.append([values(training.run_epoch()) for _ in range(2)])
    for mine, other in zip(*found, strict=True):
        assert mine == pytest.approx(other, rel=1e-6)
    both = zip(device.model.state_dict().values(), host.model.state_dict().values(), strict=True)
    assert all(torch.equal(mine, other) for mine, other in both)


def test_queueing_epochs_ahead_changes_no_result(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config["arch"] |= {"dropout": 0.2}
    rows, states, sizes = [], [], []
    for ahead in (False, True):
        monkeypatch.setattr(DeviceEpochRunner, "can_queue_ahead", ahead)
        whole = make_training(config, pack, tmp_path / str(ahead))
        whole.run_epoch()
        first = load_tensors(whole.trial.last)
        run_epochs(whole, 2)
        resumed = make_training(config, pack, tmp_path / f"{ahead} resumed")
        write_atomically(resumed.trial.last, lambda aside, first=first: torch.save(first, aside))
        resumed.trial.rewrite_history(
            whole.trial.history()[:2]
        )  # as if killed after writing the second row
        resumed.resume()
        run_epochs(resumed, 2)
        sizes.append([file.stat().st_size for file in (whole.trial.best, whole.trial.last)])
        for one in (whole, resumed):
            rows.append([values(row) for row in one.trial.history()])
            states.append(load_tensors(one.trial.last)["model"])
    assert len(rows[0]) == 3
    assert all(found == rows[0] for found in rows)
    assert all(best < last / 2 for best, last in sizes)  # best.pt holds only the network's tensors
    for name, weights in states[0].items():
        assert all(torch.equal(state[name], weights) for state in states), name


def test_device_draws_and_augments_tiles_like_the_host(pack: Pack, split: Split) -> None:
    norm = make_normalisation("train", pack, split.train, ("s1asc:VV", "s1asc:VH", "DEM"))
    tiles = TileDataset(pack, split.train, norm, 4, CPU, preload=True)
    on_device = GpuDataset(tiles, EVERYTHING)
    plan = on_device.plan_shuffled(2, torch.Generator().manual_seed(5))
    served = tiles.shuffled(2, torch.Generator().manual_seed(5), EVERYTHING)
    for rows, seed, expected in zip(plan.batches, plan.noise_seeds, served, strict=True):
        on_device.seed_noise(seed)
        batch = on_device.load_batch(rows)
        assert torch.equal(batch.x, expected.x)
        assert torch.equal(batch.mask, expected.mask)
    inorder = [
        GpuDataset(tiles).load_batch(rows) for rows in GpuDataset(tiles).plan_in_order(3).batches
    ]
    assert torch.equal(torch.cat([batch.x for batch in inorder]), tiles.batch(range(4)).x)


def test_tiles_that_are_not_preloaded_are_refused(pack: Pack, split: Split) -> None:
    norm = make_normalisation("train", pack, split.train, ("s1asc:VV",))
    with pytest.raises(
        ValueError,
        match=r"but got 4 tiles that are read from the pack\. Make the dataset with preload=True",
    ):
        GpuDataset(TileDataset(pack, split.train, norm, 4, CPU))


def test_device_metrics_are_the_sum_of_the_batches() -> None:
    metrics, expected = DeviceMetrics(CPU), np.zeros(())
    metrics.update(
        torch.tensor(9.0), torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)
    )
    metrics.reset()
    for number in range(3):
        logits = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(number)) * 9
        mask = (logits[:, 0] > 1).to(torch.uint8)
        metrics.update(torch.tensor(float(number)), logits, mask)
        expected = expected + count_bins(to_probs(logits), mask).numpy()
    counts, loss = metrics.compute(6)
    assert np.array_equal(counts, expected)
    assert loss == pytest.approx((0 + 1 + 2) * 2 / 6)


@pytest.mark.parametrize(("in_train", "what"), [(True, "loss"), (False, "val loss")])
def test_loss_that_is_not_finite_fails_at_the_end_of_the_epoch(
    config: Config, pack: Pack, tmp_path: Path, in_train: bool, what: str
) -> None:
    training = make_training(config, pack, tmp_path)
    part = training.data.train if in_train else training.data.val
    assert part.preloaded is not None
    part.preloaded.x[0, 0] = math.nan
    walked = sum(1 for _ in training.iterate_epoch())
    assert walked == 3  # two train batches and one val batch
    message = rf"The {what} must stay finite, but got nan in epoch 1\. Lower the learning rate"
    with pytest.raises(BadTrialError, match=message):
        training.finish_epoch()


def test_labels_other_than_0_and_1_are_refused(config: Config, pack: Pack, tmp_path: Path) -> None:
    data = TrainingData.make(config, pack, make_config_split(config, pack), CPU, preload=True)
    assert data.val.preloaded is not None
    data.val.preloaded.mask[0, 0, 0] = 2
    with pytest.raises(ValueError, match=r"A mask must hold 0 .* but got 0 to 2"):
        Training(
            config, pack, make_config_split(config, pack), TrialFolder(tmp_path), CPU, data=data
        )


def test_graphed_call_runs_normally_without_a_gpu() -> None:
    done = torch.zeros(())
    stream = GraphStream(CPU)
    call = GraphedCall(lambda: done.add_(1), stream)
    for _ in range(5):
        with stream.active():
            call()
    stream.wait_for_current()
    stream.block_current()
    assert done == 5
    assert not call.captured
