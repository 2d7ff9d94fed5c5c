"""Counts of a bundled run that contradict each other, the labels or the run's metrics are refused by name."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.io.safe_json import RefusedError
from tests.support.bundles import tiny_files, write_bundle
from tuning.bundle.read import read_bundle

RUN = "runs/0001.npz"


def edit_run(files: dict[str, bytes], edit: Callable[[dict[str, Any]], None]) -> dict[str, bytes]:
    with np.load(io.BytesIO(files[RUN])) as stored:
        arrays = dict(stored)
    edit(arrays)
    content = io.BytesIO()
    np.savez(content, **arrays)
    return files | {RUN: content.getvalue()}


def test_pickle_is_refused(tmp_path: Path) -> None:
    def hide(arrays: dict[str, Any]) -> None:
        arrays["counts_steps"] = np.array([{"a": 1}], dtype=object)

    with pytest.raises(RefusedError, match="without pickled objects"):
        read_bundle(write_bundle(tmp_path / "p.zip", edit_run(tiny_files(), hide)))


def add(name: str, row: Any, change: int) -> Callable[[dict[str, Any]], None]:
    def edit(arrays: dict[str, Any]) -> None:
        arrays[name][row] += change

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            add("cell_pixels", 0, 1),
            "In tile hokkaido_1, the histogram must add up to the 16,384 pixels, but got 16,385",
        ),
        (add("counts_pixels", 5, 1), "must be the sum of the tiles' histograms"),
        (
            add("at_half", (2, 0), 1),
            "In tile hokkaido_3, at_half must add up to the 16,384 pixels, but got 16,385",
        ),
        (add("val_pixels", slice(-40, None), 900), "must be that of the histogram of val"),
        (add("cell_steps", 3, 9000), "must fill some of 8,192 cells, each once"),
        (add("tile_cells", 0, 1), "Every filled cell must have its step"),
        (lambda arrays: arrays.pop("objects"), "but got no objects"),
        (
            lambda arrays: arrays.update(boundary=arrays["boundary"][:-1]),
            "must be of the run's 6 test tiles, but got 5 and 6",
        ),
        (
            lambda arrays: arrays.update(at_val=arrays["at_val"].astype(float)),
            "at_val must be uint32",
        ),
    ],
)
def test_contradicting_count_is_named(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match=message):
        read_bundle(write_bundle(tmp_path / "x.zip", edit_run(tiny_files(), edit)))


def test_confusion_of_another_threshold_is_refused(tmp_path: Path) -> None:
    def move(arrays: dict[str, Any]) -> None:
        arrays["at_val"][0, 0] += 1  # one pixel more that is found,
        arrays["at_val"][0, 2] -= 1  # and one fewer that is not

    with pytest.raises(RefusedError, match=r"at_val must be the histogram's pixels at 0\.4"):
        read_bundle(write_bundle(tmp_path / "t.zip", edit_run(tiny_files(), move)))
