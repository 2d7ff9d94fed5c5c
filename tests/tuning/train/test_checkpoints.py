"""Checkpoint, histogram and history stay of one epoch, wherever a training is cut off."""

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
    """What a kill does, as far as a process can do it to itself."""


def counts_of(value: int) -> np.ndarray:
    return np.full((2, BINS), value, dtype=np.int64)


def test_better_checkpoint_counts_once_its_epoch_is_known(tmp_path: Path) -> None:
    journal = TrialFolder(tmp_path)
    save_candidate(journal, {"epoch": 1}, counts_of(1))
    assert not journal.best.exists()
    settle_candidate(journal, 1)
    assert torch.load(journal.best, weights_only=True) == {"epoch": 1}
    save_candidate(journal, {"epoch": 2}, counts_of(2))
    settle_candidate(journal, 1)  # killed before last.pt knew of epoch 2
    assert torch.load(journal.best, weights_only=True) == {"epoch": 1}
    assert np.array_equal(journal.counts("val"), counts_of(1))  # type: ignore[arg-type]
    assert sorted(os.listdir(tmp_path)) == ["best.pt", "val_counts.npy"]


def test_kill_between_histogram_and_checkpoint_is_made_good(tmp_path: Path) -> None:
    journal = TrialFolder(tmp_path)
    save_candidate(journal, {"epoch": 3}, counts_of(3))
    os.replace(tmp_path / "next_counts.npy", tmp_path / "val_counts.npy")
    settle_candidate(journal, 3)
    assert torch.load(journal.best, weights_only=True) == {"epoch": 3}
    assert np.array_equal(journal.counts("val"), counts_of(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("cut_at", ["history.jsonl", "next.pt", "next_counts.npy", "last.pt"])
def test_training_cut_anywhere_ends_as_if_never_cut(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: str
) -> None:
    whole = TrialFolder(tmp_path / "whole")
    fit(config, pack, whole.path, lambda row: None, device=CPU)
    cut, replace, seen = TrialFolder(tmp_path / "cut"), os.replace, []

    def stop(source: object, target: object, **more: object) -> None:
        if Path(str(target)).name == cut_at:
            seen.append(cut_at)
            if len(seen) == 2:  # the first epoch is whole
                raise CutError
        replace(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with contextlib.suppress(CutError):
            fit(config, pack, cut.path, lambda row: None, device=CPU)
    fit(config, pack, cut.path, lambda row: None, device=CPU)
    for one, other in zip(whole.history(), cut.history(), strict=True):
        assert {
            name: one[name] for name in ("epoch", "val_loss", "val_pr_auc", "best_val_pr_auc")
        } == {name: other[name] for name in ("epoch", "val_loss", "val_pr_auc", "best_val_pr_auc")}
    assert np.array_equal(whole.counts("val"), cut.counts("val"))  # type: ignore[arg-type]
    saved = [torch.load(one.best, weights_only=True) for one in (whole, cut)]
    assert saved[0]["epoch"] == saved[1]["epoch"]
    for name, weights in saved[0]["model"].items():
        assert torch.equal(weights, saved[1]["model"][name])


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04half", None])
def test_damaged_checkpoint_is_named_with_the_remedy(
    config: Config, pack: Pack, tmp_path: Path, content: bytes | None
) -> None:
    journal = TrialFolder(tmp_path)
    if content is None:
        torch.save({"epoch": 1, "model": {}}, journal.last)  # whole, and of another training
    else:
        journal.last.write_bytes(content)
    told = r"A checkpoint must be a file that training wrote, but .*last\.pt.* Or delete it: the trial then"
    with pytest.raises(ValueError, match=told):
        fit(config, pack, tmp_path, lambda row: None, device=CPU)
    journal.last.unlink()
    fit(config | {"epochs": 1}, pack, tmp_path / "again", lambda row: None, device=CPU)
