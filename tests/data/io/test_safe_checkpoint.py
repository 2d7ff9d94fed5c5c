import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data.io.safe_checkpoint import MAX_CHECKPOINT_BYTES, load_tensors
from data.io.safe_json import RefusedError
from data.pack import Pack
from tests.support.hostile_files import Canary, fires, write_sparse
from tests.support.served_fixtures import write_checkpoint
from tuning.train.checkpoints import load_checkpoint
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder

RULE = "A checkpoint must be a file that training wrote, but got "


def save_zip(content: object, path: Path) -> None:
    torch.save(content, path)


def save_old(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("save", [save_zip, save_old, save_pickle])
def test_pickled_checkpoint_is_refused_and_does_not_run(
    tmp_path: Path, save: Callable[[object, Path], None]
) -> None:
    path, canary = tmp_path / "best.pt", tmp_path / "canary"
    save({"model": Canary(canary), "config": {}}, path)
    if save is save_pickle:
        assert fires(path, canary)
    else:
        torch.load(path, weights_only=False)
        assert canary.exists()  # so the pickle would run
        canary.unlink()
    for load in (load_checkpoint, load_tensors):
        with pytest.raises(RefusedError, match=RULE) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 600
    assert not canary.exists()


def test_training_does_not_resume_from_a_pickle(config: Config, pack: Pack, tmp_path: Path) -> None:
    canary, trial_folder = tmp_path / "canary", TrialFolder(tmp_path / "trial")
    torch.save({"epoch": 1, "model": Canary(canary)}, trial_folder.last)
    with pytest.raises(ValueError, match=RULE):
        fit(config, pack, trial_folder.path, lambda row: None)
    assert not canary.exists()


def test_compressed_checkpoint_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    small, path = tmp_path / "small.pt", tmp_path / "best.pt"
    torch.save({"model": torch.zeros(50_000_000)}, small)
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(
        RefusedError, match=r"members must not be compressed, but got 'small/data\.pkl'"
    ):
        load_tensors(path)


def test_large_checkpoint_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_sparse(tmp_path / "best.pt", MAX_CHECKPOINT_BYTES + 1)
    with pytest.raises(RefusedError, match=f"at most {MAX_CHECKPOINT_BYTES:,} bytes"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_damaged_checkpoint_is_refused_by_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "best.pt").write_bytes(content)
    with pytest.raises(RefusedError, match=RULE):
        load_checkpoint(tmp_path / "best.pt")


def drop(saved: dict[str, Any]) -> None:
    del saved["norm"]


def other_weights(saved: dict[str, Any]) -> None:
    saved["model"] = {"weight": torch.zeros(1)}


def other_norm(saved: dict[str, Any]) -> None:
    saved["norm"]["std"] = [0.0] * 4


def no_numbers(saved: dict[str, Any]) -> None:
    saved["norm"]["mean"] = ["x"] * 4


def no_config(saved: dict[str, Any]) -> None:
    saved["config"] = "unet"


def foreign_model(saved: dict[str, Any]) -> None:
    saved["config"]["model"] = "../unet"


def wide(saved: dict[str, Any]) -> None:
    saved["config"]["arch"]["width"] = 10**9


def no_epoch(saved: dict[str, Any]) -> None:
    saved["epoch"] = [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, RULE + ".*KeyError"),
        (other_weights, RULE + ".*RuntimeError"),
        (other_norm, RULE + ".*normalisation statistics must be finite, with std > 0"),
        (no_numbers, RULE + ".*normalisation statistics must be finite, with std > 0"),
        (no_config, "A config must be an object, but got 'unet'"),
        (foreign_model, r"Unknown model '\.\./unet'"),
        (wide, r"width \* 2\*\*depth of at most 1024, but got width=1000000000"),
        (no_epoch, RULE + ".*TypeError"),
    ],
)
def test_checkpoint_with_wrong_content_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = write_checkpoint(tmp_path).best
    saved = torch.load(path, weights_only=True)
    change(saved)
    torch.save(saved, path)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(path)
