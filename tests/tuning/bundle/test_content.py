"""Values of ``campaign.json`` and tables that no campaign has are refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.io.safe_json import RefusedError
from tests.support.bundles import edit_campaign, tiny_files, write_bundle
from tuning.bundle import content
from tuning.bundle.read import read_bundle


def put(*keys: Any, to: Any) -> Callable[[Any], None]:
    def edit(content: Any) -> None:
        *inner, last = keys
        for key in inner:
            content = content[key]
        content[last] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (put("tiles", "hokkaido_2", "positives", to=5), "In tile hokkaido_2, the histogram must add up to the 5 landslide pixels of the label"),
        (put("splits", "blocks", "train", to=["hokkaido_101"]), "A split's hash must be that of its lists"),
        (put("splits", "blocks", "hash", to="0" * 12), "A split's hash must be that of its lists, but got '000000000000'"),
        (put("provenance", "split_hash", to="1" * 12), "split_hash must be the hash of all splits, but got '111111111111'"),
        (put("models", 0, "runs", 0, "tags", "fold", to="seed42"), "the fold of a split"),
        (put("models", 0, "runs", 0, "tags", "seed", to="-1"), "A run must have the tags"),
        (put("models", 0, "runs", 1, "tags", "seed", to="42"), "one run of every fold"),
        (put("models", 0, "runs", 0, "tiles", to=["hokkaido_101"]), "must be test tiles of its split"),
        (put("models", 0, "runs", 0, "tiles", to=["hokkaido_1"]), "counts must be of the run's 1 test tiles, but got 6 in 0001"),
        (put("models", 0, "runs", 0, "file", to="../x.npz"), "file must be runs/NNNN.npz"),
        (put("models", 0, "runs", 0, "metrics", "test/threshold", to=2), "test/threshold must be from 0 to 1"),
        (put("models", 0, "runs", 0, "metrics", "best/val_pr_auc", to=0.1), "best/val_pr_auc must be that of the histogram of val"),
        (put("models", 0, "title", to="a\x1b[2J"), "title must be a printable text"),
        (put("models", 0, "title", to="Other"), "benchmark_master.csv must have a row of every model, but got none of Other"),
        (put("models", 0, "kind", to=3), "kind must be a text"),
        (put("models", 1, "runs", 0, "tags", "data", to="real"), "Every run must have the campaign's data, synthetic, but got 'real'"),
        (put("provenance", "data", to="real"), "Every run must have the campaign's data, real, but got 'synthetic'"),
        (put("provenance", "data", to="invented"), "data must be synthetic or real, but got 'invented'"),
        (put("models", to=[]), "A bundle must have models"),
        (put("name", to="../x"), "A campaign's name must have"),
        (put("created", to="yesterday"), "created must be a time in UTC"),
        (put("margin", to=0), "margin must be a number from 1e-09 to 1"),
        (put("block_tiles", to=0.5), "block_tiles must be a whole number"),
        (put("tiles", "hokkaido_1", "label_sha256", to="x"), "label_sha256 must be 64 hexadecimal digits"),
        (put("tiles", "hokkaido_1", "west", to="far"), "west must be a number"),
    ],
)  # fmt: skip
def test_invalid_value_is_named(edit: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=message):
        read_bundle(write_bundle(tmp_path / "x.zip", edit_campaign(tiny_files(), edit)))


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("benchmark_master.csv", b"", "must have a row of every model"),
        ("benchmark_runs.csv", b"model,seed\na,1\n", "must be named by model, seed, fold"),
        ("pairwise.csv", b'metric,family,a,b\n"x', "A table must be CSV|named by"),
    ],
)
def test_table_that_is_none_is_refused(
    table: str, content: bytes, message: str, tmp_path: Path
) -> None:
    files = tiny_files() | {f"tables/{table}": content}
    with pytest.raises(RefusedError, match=message):
        read_bundle(write_bundle(tmp_path / "t.zip", files))
    del files[f"tables/{table}"]
    with pytest.raises(RefusedError, match=f"must have tables/{table}, but got none"):
        read_bundle(write_bundle(tmp_path / "u.zip", files))


def test_bundle_that_would_not_fit_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bundle(tmp_path / "m.zip")
    for limit in ("MAX_RUNS", "MAX_TILES", "MAX_ROWS"):
        with monkeypatch.context() as patch:
            patch.setattr(content, limit, 5)
            with pytest.raises(RefusedError, match=r"at most .* runs, .*, but got 7, 6 and 42 in"):
                read_bundle(path)
