"""The table's columns on event-free series, from each run's counts per tile, and the section of the page."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.page.html import Table, Text
from tuning.report import placebo
from tuning.report.placebo import (
    COLUMNS,
    alarms_per_km2,
    build_placebo_section,
    describe_placebo,
    rate_placebos,
    read_placebo,
)
from tuning.statistics.blocks import make_units

TILES = tuple(f"hokkaido_{number}" for number in range(1, 9))
PX = 128**2
KM2 = 1.28**2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the artifacts of runs; a run's artifact uri is its file."""

    def open_artifact(client: Any, run: Any, name: str) -> AbstractContextManager[Path]:
        assert name == "trial/placebo.npz"
        return nullcontext(run.info.artifact_uri)

    monkeypatch.setattr(placebo, "open_artifact", open_artifact)
    return tmp_path


def make_run(
    folder: Path, alarms: Any, ids: Any = TILES, *, measured: bool = True, name: str = "a"
) -> Any:
    """Make a run on the eight tiles, with a file of counts of some of them: ten found pixels per alarm."""
    counts = np.array([[PX, count, 10 * count] for count in alarms], np.int64).reshape(-1, 3)
    file = folder / f"{name}.npz"
    np.savez(file, tile_ids=np.array(ids, dtype=str), counts=counts)
    metrics = {"placebo/tiles_left_out": len(TILES) - len(ids)} if measured else {}
    run = SimpleNamespace(
        data=SimpleNamespace(metrics=metrics), info=SimpleNamespace(artifact_uri=file)
    )
    return SimpleNamespace(run=run, tile_ids=TILES)


def make_model(*runs: Any) -> Any:
    return SimpleNamespace(title="Net", runs=runs, by_seed=[[run] for run in runs])


def rate(*runs: Any) -> dict[str, float]:
    corners = np.array([(1280.0 * column, 0.0) for column in range(len(TILES))])
    names = ["blocks"] * len(TILES)
    units = make_units(corners, names, names, block_tiles=1)
    ranking: Any = SimpleNamespace(models=[make_model(*runs)], units=units, block_tiles=1)
    return rate_placebos(None, ranking)["Net"]  # type: ignore[arg-type]


def test_alarms_are_per_square_kilometre_and_undefined_without_a_pixel() -> None:
    assert alarms_per_km2(np.array([20_000, 4, 9])) == 2
    assert np.isnan(alarms_per_km2(np.array([0, 0, 0])))


def test_rate_is_the_mean_over_seeds_with_an_interval(folder: Path) -> None:
    runs = [
        make_run(folder, [0, 0, 0, 0, 0, 0, 0, 8], name="a"),
        make_run(folder, [0, 0, 0, 0, 0, 0, 4, 8], name="b"),
    ]
    found = rate(*runs)
    assert tuple(found) == COLUMNS
    assert found["placebo_alarms_per_km2"] == pytest.approx((8 + 12) / 2 / (8 * KM2))
    assert found["placebo_area_share"] == pytest.approx(200 / (16 * PX))
    low, high = (found[f"placebo_alarms_per_km2_{end}"] for end in ("low", "high"))
    assert 0 <= low < found["placebo_alarms_per_km2"] < high
    assert found["placebo_tiles"] == 8
    assert rate(*runs) == found


def test_tiles_that_were_left_out_count_nowhere(folder: Path) -> None:
    found = rate(make_run(folder, [1, 1, 1], TILES[2:5]))
    assert found["placebo_alarms_per_km2"] == pytest.approx(1 / KM2)
    assert found["placebo_alarms_per_km2_low"] == pytest.approx(1 / KM2)  # tiles do not differ
    assert found["placebo_tiles"] == 3


def test_model_with_a_run_of_an_earlier_release_is_not_measured(folder: Path) -> None:
    found = rate(make_run(folder, [1] * 8), make_run(folder, [1] * 8, measured=False))
    assert found["placebo_tiles"] == 0
    assert np.isnan(found["placebo_alarms_per_km2"])
    nothing = rate(make_run(folder, [], []))  # no tile has images enough
    assert nothing["placebo_tiles"] == 0


@pytest.mark.parametrize(
    ("ids", "alarms", "message"),
    [
        (["hokkaido_99"], [1], "must count test tiles of its run, each once, but got 1 ids and 1"),
        ([TILES[0], TILES[0]], [1, 1], "each once, but got 2 ids"),
        ([TILES[0]], [1, 2], "but got 1 ids and 2 counts"),
        ([TILES[0]], [-1], "must count pixels, but got -10"),
    ],
)
def test_malformed_file_is_refused(folder: Path, ids: Any, alarms: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_placebo(None, make_run(folder, alarms, ids))  # type: ignore[arg-type]


def test_section_sets_alarms_beside_recall_and_names_what_was_not_measured() -> None:
    row = dict(zip(COLUMNS, (1.153, 0.5, 2.0, 0.0107, 79), strict=True))
    none = dict.fromkeys(COLUMNS, np.nan) | {"placebo_tiles": 0}
    rows = [
        {"model": "Net", "recall_mean": 0.72} | row,
        {"model": "Old", "recall_mean": 0.5} | none,
    ]
    context: Any = SimpleNamespace(table=pd.DataFrame(rows))
    about, sentence, table = build_placebo_section(context).blocks
    assert isinstance(about, Text)
    assert "unless an older landslide fell between these images" in about.text
    assert isinstance(sentence, Text)
    assert (
        sentence.text
        == describe_placebo(rows[0])
        == (
            "Net finds 72% of the landslide pixels; on 79 test tiles before the event it finds 1.15 objects per km² that "
            "are none."
        )
    )
    assert isinstance(table, Table)
    assert table.rows[0] == ["Net", 0.72, "1.15", "0.50 to 2.00", "1.07%", 79]
    assert table.rows[1][3] == "not measured"
    context.table = pd.DataFrame(rows[1:])
    (nothing,) = build_placebo_section(context).blocks
    assert isinstance(nothing, Text)
    assert nothing.text.startswith("Not measured: this campaign is of an earlier version")
