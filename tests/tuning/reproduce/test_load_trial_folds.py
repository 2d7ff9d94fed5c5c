"""A trial of one fold is found by the hash that its campaign logged over all folds."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from data.pack import Pack
from data.splits import hash_splits, make_split, shrink_train
from tuning.reproduce.load_trial import _find_pack

FOLDS = ("blocks:2/1", "blocks:2/2")


def test_a_fold_s_trial_is_checked_against_the_hash_over_all_folds(
    pack: Pack, tmp_path: Path
) -> None:
    splits = [make_split(fold, pack.surveys()) for fold in FOLDS]
    whole = hash_splits(splits)
    assert whole not in {split.hash for split in splits}
    config = {"data": pack.hash, "split": FOLDS[1]}
    tags = {"split": "blocks:2", "split_hash": whole}
    run = SimpleNamespace(data=SimpleNamespace(tags=tags))
    assert _find_pack(run, config, tmp_path, pack.path).hash == pack.hash  # type: ignore[arg-type]
    tags["split_hash"] = splits[1].hash  # as if the campaign had been of this fold alone
    with pytest.raises(ValueError, match=f"but blocks:2 has the hash {whole} on"):
        _find_pack(run, config, tmp_path, pack.path)  # type: ignore[arg-type]
    tags["split"] = FOLDS[1]
    assert _find_pack(run, config, tmp_path, pack.path).hash == pack.hash  # type: ignore[arg-type]


def test_a_trial_on_a_share_of_train_is_checked_against_the_hash_of_that_share(
    pack: Pack, tmp_path: Path
) -> None:
    config = {"data": pack.hash, "split": "blocks", "train_share": "compact:0.5", "batch_size": 2}
    whole = make_split("blocks", pack.surveys())
    less = shrink_train(whole, pack.surveys(), "compact:0.5", 2)
    tags = {"split": "blocks", "split_hash": less.hash}
    run = SimpleNamespace(data=SimpleNamespace(tags=tags))
    assert _find_pack(run, config, tmp_path, pack.path).hash == pack.hash  # type: ignore[arg-type]
    tags["split_hash"] = whole.hash
    with pytest.raises(ValueError, match=f"but blocks has the hash {less.hash} on"):
        _find_pack(run, config, tmp_path, pack.path)  # type: ignore[arg-type]


def test_a_trial_that_started_from_lost_weights_is_refused(pack: Pack, tmp_path: Path) -> None:
    split = make_split("blocks", pack.surveys())
    config = {"data": pack.hash, "split": "blocks", "init": "0123456789ab"}
    tags = {"split": "blocks", "split_hash": split.hash}
    run = SimpleNamespace(data=SimpleNamespace(tags=tags))
    with pytest.raises(FileNotFoundError, match=r"needs init-0123456789ab\.safetensors beside its"):
        _find_pack(run, config, tmp_path, pack.path)  # type: ignore[arg-type]
