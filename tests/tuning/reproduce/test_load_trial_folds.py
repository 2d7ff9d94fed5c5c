"""A trial of one fold is found by the hash that its campaign logged over all folds."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from data.pack import Pack
from data.splits import hash_splits, make_split
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
