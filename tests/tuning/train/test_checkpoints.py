"""Checkpoint, histogram and history are of one epoch, whenever a training is killed."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from data.pack import Pack
from tuning.metrics.histogram import BINS
from tuning.train.checkpoints import save_candidate, settle_candidate
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder

CPU = torch.device("cpu")


class CutError(BaseException):
    """Simulates a kill within the process."""


def counts_of(value: int) -> np.ndarray:
    return np.full((2, BINS), value, dtype=np.int64)


def test_candidate_becomes_best_once_last_has_its_epoch(tmp_path: Path) -> None:
    trial = TrialFolder(tmp_path)
    save_candidate(trial, {"epoch": 1}, counts_of(1))
    assert not trial.best.exists()
    settle_candidate(trial, 1)
    assert torch.load(trial.best, weights_only=True) == {"epoch": 1}
    save_candidate(trial, {"epoch": 2}, counts_of(2))
    settle_candidate(trial, 1)  # killed before last.pt of epoch 2 was written
    assert torch.load(trial.best, weights_only=True) == {"epoch": 1}
    assert np.array_equal(trial.counts("val"), counts_of(1))  # type: ignore[arg-type]
    assert sorted(os.listdir(tmp_path)) == ["best.pt", "val_counts.npy"]


def test_kill_between_the_two_renames_is_recovered(tmp_path: Path) -> None:
    trial = TrialFolder(tmp_path)
    save_candidate(trial, {"epoch": 3}, counts_of(3))
    os.replace(tmp_path / "next_counts.npy", tmp_path / "val_counts.npy")
    settle_candidate(trial, 3)
    assert torch.load(trial.best, weights_only=True) == {"epoch": 3}
    assert np.array_equal(trial.counts("val"), counts_of(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("cut_at", ["history.jsonl", "next.pt", "next_counts.npy", "last.pt"])
def test_training_killed_at_any_write_ends_as_if_never_killed(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: str
) -> None:
    whole = TrialFolder(tmp_path / "whole")
    fit(config, pack, whole.path, lambda row: None, device=CPU)
    cut, replace, seen = TrialFolder(tmp_path / "cut"), os.replace, []

    def stop(source: object, target: object, **more: object) -> None:
        if Path(str(target)).name == cut_at:
            seen.append(cut_at)
            if len(seen) == 2:  # the first epoch is complete
                raise CutError
        replace(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with contextlib.suppress(CutError):
            fit(config, pack, cut.path, lambda row: None, device=CPU)
    fit(config, pack, cut.path, lambda row: None, device=CPU)
    for one, other in zip(whole.history(), cut.history(), strict=True):
        assert {
            name: one[name] for name in ("epoch", "val_loss", "val_pr_auc", "best/val_pr_auc")
        } == {name: other[name] for name in ("epoch", "val_loss", "val_pr_auc", "best/val_pr_auc")}
    assert np.array_equal(whole.counts("val"), cut.counts("val"))  # type: ignore[arg-type]
    saved = [torch.load(one.best, weights_only=True) for one in (whole, cut)]
    assert saved[0]["epoch"] == saved[1]["epoch"]
    for name, weights in saved[0]["model"].items():
        assert torch.equal(weights, saved[1]["model"][name])


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04half", None])
def test_damaged_checkpoint_error_names_file_and_remedy(
    config: Config, pack: Pack, tmp_path: Path, content: bytes | None
) -> None:
    trial = TrialFolder(tmp_path)
    if content is None:
        torch.save({"epoch": 1, "model": {}}, trial.last)  # undamaged, but of another training
    else:
        trial.last.write_bytes(content)
    message = r"A checkpoint must be a file that training wrote, but .*last\.pt.* Or delete it: the trial then"
    with pytest.raises(ValueError, match=message):
        fit(config, pack, tmp_path, lambda row: None, device=CPU)
    trial.last.unlink()
    fit(config | {"epochs": 1}, pack, tmp_path / "again", lambda row: None, device=CPU)
