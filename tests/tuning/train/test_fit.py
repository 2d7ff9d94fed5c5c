import gc
import json
import math
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.pack import Pack
from data.pack.gpu_dataset import GpuDataset
from data.pack.normalisation import make_normalisation
from data.splits import Split
from models import count_gmac
from tests.support.training import CPU, FaultyNet, train_rows
from tuning.train import environment
from tuning.train.__main__ import main
from tuning.train.checkpoints import load_checkpoint
from tuning.train.evaluate import measure_test, pick_examples
from tuning.train.fit import count_work, fit, make_config_split
from tuning.train.training import BadTrialError, Training
from tuning.train.training_data import TrainingData
from tuning.trial.disk import drop_checkpoints
from tuning.trial.folder import Config, Row, TrialFolder


def interrupt(config: Config, pack: Pack, folder: Path) -> None:
    """Train two epochs, then interrupt the training."""

    def stop(row: Row) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config, pack, folder, stop, device=CPU)


def test_loss_falls(config: Config, pack: Pack, tmp_path: Path) -> None:
    rows = train_rows(config | {"epochs": 6, "lr": 1e-2}, pack, tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_ended_training_frees_tiles_and_weights_at_once(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = []

    def remember(*args: Any, **options: Any) -> Training:
        training = Training(*args, **options)
        living.extend(map(weakref.ref, (training, training.data.train, training.model)))
        return training

    train_rows(
        config | {"epochs": 1}, pack, tmp_path / "first"
    )  # torch's first optimizer keeps a frame
    monkeypatch.setattr("tuning.train.fit.Training", remember)
    gc.disable()
    try:
        train_rows(config | {"epochs": 1}, pack, tmp_path / "second")
        assert [one() for one in living] == [None] * 3
    finally:
        gc.enable()


def test_same_seed_gives_the_same_metrics(config: Config, pack: Pack, tmp_path: Path) -> None:
    first, second = (train_rows(config, pack, tmp_path / name) for name in "ab")
    assert first == second
    assert first != train_rows(config | {"seed": 43}, pack, tmp_path / "c")


def test_resumed_training_equals_an_uninterrupted_one(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    whole = train_rows(config, pack, tmp_path / "whole")
    interrupt(config, pack, tmp_path / "resumed")
    torch.rand(5)  # another trial has drawn from the shared generator
    assert train_rows(config, pack, tmp_path / "resumed") == whole
    first, second = (load_checkpoint(tmp_path / name / "best.pt") for name in ("whole", "resumed"))
    for mine, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_epoch_whose_checkpoint_was_lost_is_trained_again(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    whole = train_rows(config, pack, tmp_path / "whole")
    interrupt(config, pack, tmp_path / "resumed")
    trial = TrialFolder(tmp_path / "resumed")
    trial.append({"epoch": 3})  # a kill came between this row and its checkpoint
    (trial.path / "history.jsonl").open("a").write('{"epoch": 4')  # and cut this one off
    assert train_rows(config, pack, trial.path) == whole
    assert len(trial.history()) == 3


def test_history_that_a_power_cut_took_is_that_of_the_checkpoint_again(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    whole = train_rows(config, pack, tmp_path / "whole")
    interrupt(config, pack, tmp_path / "resumed")
    (tmp_path / "resumed" / "history.jsonl").write_bytes(b"\0" * 100 + b"\n")
    assert train_rows(config, pack, tmp_path / "resumed") == whole
    assert [row["epoch"] for row in TrialFolder(tmp_path / "resumed").history()] == [1, 2, 3]


def test_a_trial_continued_with_other_code_names_both(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "hash_code", lambda: "first")
    interrupt(config, pack, tmp_path)
    monkeypatch.setattr(environment, "hash_code", lambda: "second")
    train_rows(config, pack, tmp_path)
    assert TrialFolder(tmp_path).read("environment")["code"] == "first second"


def test_cost_names_the_work_of_one_tile(config: Config, pack: Pack, tmp_path: Path) -> None:
    train_rows(config, pack, tmp_path)
    cost = TrialFolder(tmp_path).read("cost")
    sizes = len(config["channels"]), config["timesteps"], 128
    assert cost["gmac_per_tile"] == count_gmac(config["model"], *sizes, **config["arch"]) > 0
    assert count_work(config | {"arch": {"width": -1}}) == {}  # the training itself would say so


def test_finished_training_is_reported_without_training(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    whole = train_rows(config, pack, tmp_path)
    before = (tmp_path / "best.pt").stat().st_mtime_ns
    assert train_rows(config, pack, tmp_path) == whole
    assert (tmp_path / "best.pt").stat().st_mtime_ns == before


def test_ended_training_is_reported_without_its_checkpoints(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    whole = train_rows(config, pack, tmp_path)
    assert not TrialFolder(tmp_path).last.exists()
    assert drop_checkpoints(TrialFolder(tmp_path)) > 0
    assert list(tmp_path.glob("*.pt")) == []
    assert train_rows(config, pack, tmp_path) == whole
    assert drop_checkpoints(TrialFolder(tmp_path)) == 0


def test_checkpoints_of_an_interrupted_training_are_never_deleted(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    interrupt(config, pack, tmp_path)
    assert drop_checkpoints(TrialFolder(tmp_path)) == 0
    assert {file.name for file in tmp_path.glob("*.pt")} == {"best.pt", "last.pt"}


def test_environment_and_resource_usage_are_written(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    train_rows(config, pack, tmp_path)
    environment = TrialFolder(tmp_path).read("environment")
    assert environment["device"] == "cpu"
    assert environment["threads"] == torch.get_num_threads()
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    for row in TrialFolder(tmp_path).history():
        used = row["system"]
        assert 0 <= used["system_memory_usage_percentage"] <= 100
        assert 0 < used["process_cpu_percentage"] < 200  # one thread, plus torch's own
        assert 50 < used["process_memory_megabytes"] < used["system_memory_usage_megabytes"]


def test_best_checkpoint_is_of_the_best_epoch(config: Config, pack: Pack, tmp_path: Path) -> None:
    rows = train_rows(config | {"epochs": 5, "lr": 0.05}, pack, tmp_path)
    best = max(rows, key=lambda row: row["val_pr_auc"])
    assert load_checkpoint(tmp_path / "best.pt").epoch == best["epoch"]
    assert rows[-1]["best/val_pr_auc"] == best["val_pr_auc"]


def test_patience_ends_a_training_that_no_longer_improves(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config |= {"lr": 1e-12, "weight_decay": 0.0, "epochs": 9, "patience": 1, "augment": {"turn": 0}}
    config["arch"] |= {"norm": "group", "dropout": 0.0}
    rows = train_rows(config, pack, tmp_path)
    assert len(rows) < 9
    assert TrialFolder(tmp_path).read("end")["reason"] == "patience"


def test_test_is_measured_at_the_threshold_chosen_on_val(
    config: Config, pack: Pack, split: Split, tmp_path: Path
) -> None:
    train_rows(config, pack, tmp_path)
    trial = TrialFolder(tmp_path)
    assert trial.counts("test") is None  # training never reads test
    scores = measure_test(trial, pack, split, CPU)
    assert scores["threshold"] == load_checkpoint(trial.best).threshold
    assert scores["tp"] + scores["fn"] == scores["pos_pixels"]
    assert scores["pos_pixels"] == pack.mask[pack.rows(split.test)].sum()
    assert scores["n_samples"] == 4
    with np.load(tmp_path / "examples.npz") as examples:
        assert set(examples["tile_ids"]) <= set(split.test)
        assert examples["probs"].shape == examples["mask"].shape == (4, 128, 128)
    alarms = trial.read("placebo")
    assert alarms.keys() == {"alarms_per_km2", "area_share", "tiles_left_out"}
    with np.load(tmp_path / "placebo.npz") as placebo:
        assert list(placebo["tile_ids"]) == list(split.test)
        assert alarms["area_share"] == placebo["counts"][:, 2].sum() / (4 * 128 * 128)


def test_training_does_not_depend_on_test_tiles(
    config: Config, pack: Pack, split: Split, tmp_path: Path
) -> None:
    whole = train_rows(config, pack, tmp_path / "a")
    mask = np.array(pack.mask)
    mask[pack.rows(split.test)] = 1 - mask[pack.rows(split.test)]
    assert train_rows(config, replace(pack, mask=mask), tmp_path / "b") == whole


def test_a_share_of_train_changes_what_is_learnt_and_measured_from_train_alone(
    config: Config, pack: Pack, split: Split
) -> None:
    config["train_share"] = "scattered:0.5"
    less = make_config_split(config, pack)
    assert len(less.train) == 2
    assert set(less.train) < set(split.train)
    assert (less.val, less.test) == (split.val, split.test)
    data = TrainingData.make(config, pack, less, CPU)
    assert data.train.tile_ids == less.train
    assert data.norm == make_normalisation("train", pack, less.train, config["channels"])
    assert data.norm != make_normalisation("train", pack, split.train, config["channels"])


def test_label_noise_changes_train_labels_alone_and_alike_on_every_device(
    config: Config, pack: Pack, split: Split
) -> None:
    stored = np.array(pack.mask)
    config["label_noise"] = {"drop": 0.5, "shift": 3.0, "dilate": 1}
    host, device, other = (
        TrainingData.make(config | {"seed": seed}, pack, split, CPU, preload=preload)
        for seed, preload in ((42, False), (42, True), (7, False))
    )
    plain = TrainingData.make(config | {"label_noise": {}}, pack, split, CPU)
    every = range(len(split.train))
    labels = host.train.batch(every).mask
    for data in (device, other):
        assert torch.equal(data.train.batch(every).mask, labels)
    assert torch.equal(GpuDataset(device.train).masks, labels)
    assert not torch.equal(plain.train.batch(every).mask, labels)
    for data in (host, device):
        assert torch.equal(data.val.batch(range(4)).mask, plain.val.batch(range(4)).mask)
        assert torch.equal(data.train.batch(every).days, plain.train.batch(every).days)
    assert np.array_equal(stored, pack.mask)


def test_a_network_with_label_noise_is_trained_again_with_the_same_result(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["label_noise"] = {"drop": 0.5, "seed": 1}
    rows = train_rows(config, pack, tmp_path / "a")
    assert train_rows(config, pack, tmp_path / "b") == rows
    other = config | {"label_noise": {"drop": 0.5}}
    assert train_rows(other, pack, tmp_path / "c") != rows


def test_labels_without_signal_leave_the_score_at_chance(
    config: Config, pack: Pack, split: Split, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    null = replace(pack, mask=(rng.random(pack.mask.shape) < 0.2).astype(np.uint8))
    rows = train_rows(config | {"epochs": 4}, null, tmp_path)
    assert rows[-1]["val_pr_auc"] == pytest.approx(0.2, abs=0.02)


def test_loss_that_is_not_finite_fails_the_trial(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    bands = {name: np.array(values) for name, values in pack.bands.items()}
    bands["s1asc"][:, 0] = np.inf
    with pytest.raises(
        BadTrialError, match=r"loss must stay finite, but got nan in epoch 1\. Lower"
    ):
        train_rows(config, replace(pack, bands=bands), tmp_path)


@pytest.mark.parametrize(
    ("in_eval", "message"),
    [
        (math.nan, r"The val loss must stay finite, but got nan in epoch 1\. Lower the learning"),
        (math.inf, r"The val loss must stay finite, but got (inf|nan) in epoch 1\."),
        (
            1.0,
            r"A network must distinguish pixels, but its best epoch gives every val pixel the same",
        ),
    ],
)
def test_useless_outputs_fail_the_trial(
    config: Config,
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_eval: float,
    message: str,
) -> None:
    monkeypatch.setattr(
        "tuning.train.training.start_model", lambda config, packs: FaultyNet(in_eval)
    )
    with pytest.raises(BadTrialError, match=message):
        train_rows(config, pack, tmp_path)
    assert TrialFolder(tmp_path).read("end") is None  # the caller decides how a failed trial ends


def test_val_without_landslides_fails_the_trial(
    config: Config, pack: Pack, split: Split, tmp_path: Path
) -> None:
    mask = np.array(pack.mask)
    mask[pack.rows(split.val)] = 0
    with pytest.raises(BadTrialError, match="val part needs at least one landslide pixel"):
        train_rows(config, replace(pack, mask=mask), tmp_path)


def test_config_refuses_other_data(config: Config, pack: Pack, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"names \(elsewhere\), but the pack .* hash {pack.hash}"):
        train_rows(config | {"data": "elsewhere"}, pack, tmp_path)


def test_folder_refuses_another_config(config: Config, pack: Pack, tmp_path: Path) -> None:
    train_rows(config | {"epochs": 1}, pack, tmp_path)
    with pytest.raises(ValueError, match=r"folder must hold one config, but .* holds another"):
        train_rows(config, pack, tmp_path)


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must be a best\.pt written by training, but got"):
        load_checkpoint(tmp_path / "best.pt")


def test_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("pwned",)

    torch.save({"model": Trap()}, tmp_path / "best.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        load_checkpoint(tmp_path / "best.pt")


def test_command_trains_a_config_again(
    config: Config, pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = train_rows(config, pack, tmp_path / "a")
    arguments = [str(tmp_path / "a" / "config.json"), "--pack", str(pack.path)]
    assert main([*arguments, "--to", str(tmp_path / "b"), "--test"]) == 0
    again = TrialFolder(tmp_path / "b").history()
    assert [row["val_loss"] for row in again] == [row["val_loss"] for row in rows]
    assert "Training ended (last epoch)" in capsys.readouterr().out


def test_command_explains_wrong_input(
    config: Config, tmp_path: Path, pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--pack", str(pack.path), "--to", str(tmp_path / "to")]
    assert main([str(tmp_path / "none.json"), *where]) == 1
    assert "The config must be a JSON file, but got" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text(json.dumps(config | {"data": "x"}))
    assert main([str(tmp_path / "bad.json"), *where]) == 1
    assert "must be trained on the pack that it names (x)" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text(json.dumps({"model": "unet", "lr": 1e-3}))
    assert main([str(tmp_path / "bad.json"), *where]) == 1
    assert "but this one lacks arch, channels, timesteps" in capsys.readouterr().err


def test_examples_are_the_largest_and_one_without_landslides() -> None:
    ids = ["a", "b", "c", "d", "e", "f"]
    assert pick_examples(ids, np.array([0, 5, 9, 0, 7, 1])) == ["c", "e", "b", "a"]
    assert pick_examples(ids[:4], np.array([0, 5, 0, 0])) == ["b", "c", "d", "a"]
    assert pick_examples(ids[:2], np.array([3, 5])) == ["b", "a"]
