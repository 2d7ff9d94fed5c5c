"""What only a GPU can show: recorded steps are the steps themselves, seeds side by side do not disturb each other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from data.pack import Pack
from data.pack.augmentation import Augment
from models import known_good, list_models
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
# Convolutions add up in an order of their own on a GPU: bfloat16 has 8 bits, and few steps keep the paths together.
CLOSE = 0.02


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    """Fail where the host waits for the device."""
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


def compare(mine: list[Row], other: list[Row]) -> None:
    for name in ("train_loss", "val_loss", "train_pr_auc", "val_pr_auc", "lr"):
        found = [row[name] for row in mine]
        assert found == pytest.approx([row[name] for row in other], rel=CLOSE, abs=CLOSE), name


def measure_gap(mine: torch.nn.Module, other: torch.nn.Module) -> float:
    """Return how far all weights lie apart, relative to how large they are."""
    flat = [torch.cat([weights.flatten() for weights in one.parameters()]) for one in (mine, other)]
    return float((flat[0] - flat[1]).norm() / flat[1].norm())


def recorded(training: Training) -> int:
    assert isinstance(training.runner, DeviceEpochRunner)
    return sum(call.captured for _, call in training.runner._calls.values())


@pytest.mark.parametrize("model", list_models())
def test_recorded_steps_are_the_steps_themselves(
    config: Config, pack: Pack, tmp_path: Path, model: str
) -> None:
    config |= {"model": model, "arch": known_good(model) | {"width": 8}, "augment": EVERYTHING}
    config |= {"lr": 1e-3, "epochs": 5}
    graphed = make_training(config, pack, tmp_path / "graphed")
    rows, found = [], []
    for _ in range(5):
        rows.append(graphed.run_epoch())
        found.append((recorded(graphed), graphed.runner.can_queue_ahead))
    # Two steps of two tiles and one look at val an epoch, the third of each is recorded; then epochs begin ahead.
    assert found == [(0, False), (1, False), (2, True), (2, True), (2, True)]
    eager = make_training(config, pack, tmp_path / "eager", graphs=False)
    compare(rows, run_epochs(eager, 5))
    assert recorded(eager) == 0
    assert measure_gap(graphed.model, eager.model) < 0.02


def test_every_kind_of_layer_can_be_recorded(config: Config, pack: Pack, tmp_path: Path) -> None:
    for conv, norm in (("separable", "layer"), ("plain", "group")):
        config["arch"] = {"width": 8, "depth": 2, "conv": conv, "norm": norm, "dropout": 0.2}
        training = make_training(config, pack, tmp_path / norm)
        run_epochs(training, 3)
        assert recorded(training) >= 1


def test_epochs_on_the_device_are_close_to_the_host_s(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    device = make_training(config | {"augment": EVERYTHING}, pack, tmp_path / "device")
    rows = run_epochs(device, 3)
    host = make_training(config | {"augment": EVERYTHING}, pack, tmp_path / "host")
    augment = Augment(**EVERYTHING)  # type: ignore[arg-type]
    host.runner = HostEpochRunner(host.step, host.data, augment, host.generator, host.check_loss)
    compare(rows, run_epochs(host, 3))


def test_host_waits_for_nothing_within_an_epoch(config: Config, pack: Pack, tmp_path: Path) -> None:
    for graphs in (False, True):
        training = make_training(
            config | {"augment": EVERYTHING}, pack, tmp_path / str(graphs), graphs=graphs
        )
        run_epochs(training, WARMUP_CALLS + 1)  # libraries are set up, and steps recorded
        with waiting_is_an_error():
            for _ in training.iterate_epoch():
                pass
        training.finish_epoch()


def test_recorded_dropout_draws_what_it_draws_when_not_recorded(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    # Weights that stay where they are keep the two from drifting apart, so that a closer look is possible.
    config |= {"lr": 0.0, "weight_decay": 0.0, "augment": EVERYTHING}
    config["arch"] |= {"dropout": 0.5}
    losses = []
    for graphs in (True, False):
        training = make_training(config, pack, tmp_path / str(graphs), graphs=graphs)
        losses.append([row["train_loss"] for row in run_epochs(training, 4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert max(losses[0]) > 1.002 * min(losses[0])


def test_training_on_a_gpu_runs_to_its_end_and_is_measured(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    rows: list[Row] = []
    assert fit(config | {"epochs": 5, "patience": 5}, pack, tmp_path, rows.append) == "last epoch"
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    journal = TrialFolder(tmp_path)
    assert journal.read("cost")["peak_gpu_memory_mb"] > 1
    scores = measure_test(journal, pack, make_config_split(config, pack), GPU)
    assert scores["n_samples"] == 4


def test_resumed_training_is_close_to_an_undisturbed_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    config |= {"epochs": 6, "patience": 6}

    def stop(row: Row) -> None:
        if row["epoch"] == 4:  # the fifth is queued by then
            raise KeyboardInterrupt

    rows: dict[str, list[Row]] = {"whole": [], "parts": []}
    fit(config, pack, tmp_path / "whole", rows["whole"].append)
    with pytest.raises(KeyboardInterrupt):
        fit(config, pack, tmp_path / "parts", stop)
    fit(config, pack, tmp_path / "parts", rows["parts"].append)
    compare(rows["parts"], rows["whole"])


def test_seeds_side_by_side_are_close_to_seeds_one_by_one(
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
        compare(TrialFolder(seed.folder).history(), rows)
        best = [load_checkpoint(path / "best.pt", GPU) for path in (seed.folder, alone)]
        if best[0].epoch == best[1].epoch:  # it may be another one by a hair
            assert measure_gap(best[0].model, best[1].model) < 0.02


def test_interrupted_stack_is_close_to_an_undisturbed_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config |= {"epochs": 6, "patience": 6, "lr": 1e-3}

    def stop(row: Row) -> None:
        if row["epoch"] == 4:  # of each seed an epoch is queued by then
            raise KeyboardInterrupt

    def make_stack(name: str, report: ReportRow) -> list[SeedRun]:
        return [SeedRun(config | {"seed": n}, tmp_path / f"{name}{n}", report) for n in (1, 2)]

    whole, parts = (make_stack(name, lambda row: None) for name in ("whole", "parts"))
    assert fit_stacked(whole, pack) == ["last epoch"] * 2
    with pytest.raises(KeyboardInterrupt):
        fit_stacked(make_stack("parts", stop), pack)
    assert fit_stacked(parts, pack) == ["last epoch"] * 2
    for one, other in zip(parts, whole, strict=True):
        compare(TrialFolder(one.folder).history(), TrialFolder(other.folder).history())


def test_tiles_are_shared_by_the_seeds_of_a_stack(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    split = make_config_split(config, pack)
    data = TrainingData.make(config, pack, split, GPU)
    both = [
        Training(config | {"seed": n}, pack, split, TrialFolder(tmp_path / str(n)), GPU, data=data)
        for n in (1, 2)
    ]
    assert both[0].data.train is both[1].data.train


def test_footprint_is_measured_with_the_recorded_step(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    used, total = measure_footprint(config, str(pack.path), None)
    assert 0 < used < total


def test_doctor_finds_the_gpu_and_computes_on_it() -> None:
    finding = check_gpu()
    assert torch.cuda.get_device_name() in str(finding)


def test_work_that_waits_is_not_recorded_and_done_all_the_same(
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

    monkeypatch.setattr("tuning.train.training.make_model", lambda config: Waiting())
    training = make_training(config, pack, tmp_path)
    with caplog.at_level(logging.WARNING):
        rows = run_epochs(training, 3)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert caplog.text.count("A CUDA graph could not be captured") == 1
    assert recorded(training) == 0
