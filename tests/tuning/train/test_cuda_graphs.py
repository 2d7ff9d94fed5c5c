"""On a GPU: captured steps equal uncaptured ones, and seeds trained at once do not affect each other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from data.pack import Pack
from data.pack.augmentation import Augment
from models import list_models, narrow_arch
from tuning.cluster.gpu_memory import measure_footprint
from tuning.doctor.machine import check_gpu
from tuning.train.checkpoints import load_checkpoint
from tuning.train.cuda_graphs import WARMUP_CALLS
from tuning.train.epochs import DeviceEpochRunner, HostEpochRunner
from tuning.train.evaluate import measure_test
from tuning.train.fit import ReportRow, fit, make_config_split
from tuning.train.multi_seed import SeedRun, fit_stacked
from tuning.train.training import Training
from tuning.train.training_data import TrainingData
from tuning.trial.folder import Config, Row, TrialFolder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

GPU = torch.device("cuda")
EVERYTHING = {"turn": 1, "crop": 64, "speckle": 1.0, "jitter": 0.5, "drop": 0.3}
# A GPU's convolutions sum in another order and bfloat16 has 8 bits, so results agree only after few steps.
CLOSE = 0.02


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    """Fail if the host waits for the device."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def make_training(config: Config, pack: Pack, folder: Path, *, graphs: bool = True) -> Training:
    split = make_config_split(config, pack)
    return Training(config, pack, split, TrialFolder(folder), GPU, graphs=graphs)


def run_epochs(training: Training, epochs: int) -> list[Row]:
    return [training.run_epoch() for _ in range(epochs)]


def assert_close_rows(rows: list[Row], expected: list[Row]) -> None:
    for name in ("train_loss", "val_loss", "train_pr_auc", "val_pr_auc", "lr"):
        values = [row[name] for row in rows]
        expected_values = [row[name] for row in expected]
        assert values == pytest.approx(expected_values, rel=CLOSE, abs=CLOSE), name


def measure_gap(mine: torch.nn.Module, other: torch.nn.Module) -> float:
    """Return the relative distance between the weights of two networks."""
    flat = [torch.cat([weights.flatten() for weights in one.parameters()]) for one in (mine, other)]
    return float((flat[0] - flat[1]).norm() / flat[1].norm())


def count_captured(training: Training) -> int:
    assert isinstance(training.runner, DeviceEpochRunner)
    return sum(call.captured for _, call in training.runner._calls.values())


@pytest.mark.parametrize("model", list_models())
def test_captured_steps_equal_uncaptured_steps(
    config: Config, pack: Pack, tmp_path: Path, model: str
) -> None:
    config |= {"model": model, "arch": narrow_arch(model), "augment": EVERYTHING}
    config |= {"lr": 1e-3, "epochs": 5}
    graphed = make_training(config, pack, tmp_path / "graphed")
    rows, captured = [], []
    for _ in range(5):
        rows.append(graphed.run_epoch())
        captured.append((count_captured(graphed), graphed.runner.can_queue_ahead))
    # An epoch has two train batches and one val batch; the third call of each is captured, then epochs queue ahead.
    assert captured == [(0, False), (1, False), (2, True), (2, True), (2, True)]
    eager = make_training(config, pack, tmp_path / "eager", graphs=False)
    assert_close_rows(rows, run_epochs(eager, 5))
    assert count_captured(eager) == 0
    assert measure_gap(graphed.model, eager.model) < 0.02


def test_every_kind_of_layer_can_be_captured(config: Config, pack: Pack, tmp_path: Path) -> None:
    for conv, norm in (("separable", "layer"), ("plain", "group")):
        config["arch"] = {"width": 8, "depth": 2, "conv": conv, "norm": norm, "dropout": 0.2}
        training = make_training(config, pack, tmp_path / norm)
        run_epochs(training, 3)
        assert count_captured(training) >= 1


def test_device_epochs_are_close_to_host_epochs_on_a_gpu(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    device = make_training(config | {"augment": EVERYTHING}, pack, tmp_path / "device")
    rows = run_epochs(device, 3)
    host = make_training(config | {"augment": EVERYTHING}, pack, tmp_path / "host")
    augment = Augment(**EVERYTHING)  # type: ignore[arg-type]
    host.runner = HostEpochRunner(host.step, host.data, augment, host.generator, host.check_loss)
    assert_close_rows(rows, run_epochs(host, 3))


def test_host_never_synchronises_within_an_epoch(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    for graphs in (False, True):
        training = make_training(
            config | {"augment": EVERYTHING}, pack, tmp_path / str(graphs), graphs=graphs
        )
        run_epochs(training, WARMUP_CALLS + 1)  # libraries are set up, and steps captured
        with waiting_is_an_error():
            for _ in training.iterate_epoch():
                pass
        training.finish_epoch()


def test_captured_dropout_draws_the_same_as_uncaptured(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    # Fixed weights keep the two trainings from diverging, so that the tolerance can be tight.
    config |= {"lr": 0.0, "weight_decay": 0.0, "augment": EVERYTHING}
    config["arch"] |= {"dropout": 0.5}
    losses = []
    for graphs in (True, False):
        training = make_training(config, pack, tmp_path / str(graphs), graphs=graphs)
        losses.append([row["train_loss"] for row in run_epochs(training, 4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert max(losses[0]) > 1.002 * min(losses[0])


def test_training_on_a_gpu_finishes_and_is_measured(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    rows: list[Row] = []
    assert fit(config | {"epochs": 5, "patience": 5}, pack, tmp_path, rows.append) == "last epoch"
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    trial = TrialFolder(tmp_path)
    assert trial.read("cost")["peak_gpu_memory_mb"] > 1
    scores = measure_test(trial, pack, make_config_split(config, pack), GPU)
    assert scores["n_samples"] == 4


def test_resumed_training_is_close_to_an_uninterrupted_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    config |= {"epochs": 6, "patience": 6}

    def stop(row: Row) -> None:
        if row["epoch"] == 4:  # the fifth is queued by then
            raise KeyboardInterrupt

    rows: dict[str, list[Row]] = {"whole": [], "resumed": []}
    fit(config, pack, tmp_path / "whole", rows["whole"].append)
    with pytest.raises(KeyboardInterrupt):
        fit(config, pack, tmp_path / "resumed", stop)
    fit(config, pack, tmp_path / "resumed", rows["resumed"].append)
    assert_close_rows(rows["resumed"], rows["whole"])


def test_seeds_at_once_are_close_to_seeds_one_by_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    config |= {"augment": EVERYTHING, "lr": 1e-3, "epochs": 5, "patience": 5}
    seeds = [
        SeedRun(config | {"seed": n}, tmp_path / f"stack{n}", lambda row: None) for n in (1, 2, 3)
    ]
    assert fit_stacked(seeds, pack) == ["last epoch"] * 3
    for seed in seeds:
        rows: list[Row] = []
        alone = tmp_path / f"alone{seed.config['seed']}"
        fit(seed.config, pack, alone, rows.append)
        assert_close_rows(TrialFolder(seed.folder).history(), rows)
        best = [load_checkpoint(path / "best.pt", GPU) for path in (seed.folder, alone)]
        if best[0].epoch == best[1].epoch:  # two nearly equal epochs may swap
            assert measure_gap(best[0].model, best[1].model) < 0.02


def test_interrupted_stack_is_close_to_an_uninterrupted_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config |= {"epochs": 6, "patience": 6, "lr": 1e-3}

    def stop(row: Row) -> None:
        if row["epoch"] == 4:  # an epoch of each seed is queued by then
            raise KeyboardInterrupt

    def make_stack(name: str, report: ReportRow) -> list[SeedRun]:
        return [SeedRun(config | {"seed": n}, tmp_path / f"{name}{n}", report) for n in (1, 2)]

    whole, resumed = (make_stack(name, lambda row: None) for name in ("whole", "resumed"))
    assert fit_stacked(whole, pack) == ["last epoch"] * 2
    with pytest.raises(KeyboardInterrupt):
        fit_stacked(make_stack("resumed", stop), pack)
    assert fit_stacked(resumed, pack) == ["last epoch"] * 2
    for one, other in zip(resumed, whole, strict=True):
        assert_close_rows(TrialFolder(one.folder).history(), TrialFolder(other.folder).history())


def test_seeds_of_a_stack_share_their_tiles(config: Config, pack: Pack, tmp_path: Path) -> None:
    split = make_config_split(config, pack)
    data = TrainingData.make(config, pack, split, GPU)
    both = [
        Training(config | {"seed": n}, pack, split, TrialFolder(tmp_path / str(n)), GPU, data=data)
        for n in (1, 2)
    ]
    assert both[0].data.train is both[1].data.train


def test_footprint_includes_a_captured_step(config: Config, pack: Pack, tmp_path: Path) -> None:
    used, total = measure_footprint(config, str(pack.path), None)
    assert 0 < used < total


def test_doctor_finds_the_gpu_and_computes_on_it() -> None:
    finding = check_gpu()
    assert torch.cuda.get_device_name() in str(finding)


def test_work_that_synchronises_runs_uncaptured(
    config: Config,
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Waiting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(8, 1, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert float(x.detach().mean()) < 1e9
            logits: torch.Tensor = self.conv(torch.dropout(x.flatten(1, 2), 0.1, self.training))
            return logits

    monkeypatch.setattr("tuning.train.training.start_model", lambda config, packs: Waiting())
    training = make_training(config, pack, tmp_path)
    with caplog.at_level(logging.WARNING):
        rows = run_epochs(training, 3)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert caplog.text.count("A CUDA graph could not be captured") == 1
    assert count_captured(training) == 0
