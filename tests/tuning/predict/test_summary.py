"""The totals of a map as JSON and as one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuning.objects.object_scores import SIZES
from tuning.predict.landslides.polygons import MapTotals, SizeClassTotal
from tuning.predict.summary import build_summary, check_mapped, format_totals, write_summary

NONE = dict.fromkeys(SIZES, SizeClassTotal(0, 0.0))
SOME = MapTotals(
    3, 30_000.0, NONE | {SIZES[1]: SizeClassTotal(3, 30_000.0)}, 1_500_000.0, 500_000.0
)
EMPTY = MapTotals(0, 0.0, NONE, 0.0, 400.0)


def test_shares_follow_from_the_areas() -> None:
    summary = build_summary(SOME, 0.42, {"model": "models:/a/1"})
    assert summary["area_share"] == 0.02  # 3 ha of 1.5 km2
    assert summary["nodata_share"] == 0.25  # 0.5 of 2 km2
    assert summary["mapped_km2"] == 1.5
    assert summary["by_size"][SIZES[1]] == {"landslides": 3, "area_m2": 30_000.0}
    assert list(summary["by_size"]) == list(SIZES)
    assert summary["model"] == "models:/a/1"


def test_what_is_not_mapped_has_too_few_acquisitions_or_no_data_at_all() -> None:
    some = replace(SOME, too_few_m2=400_000.0)
    summary = build_summary(some, 0.42, {})
    shares = {"mapped": 0.75, "too few acquisitions": 0.2, "no data at all": 0.05}
    assert summary["coverage"] == pytest.approx(shares)
    assert summary["nodata_share"] == pytest.approx(0.2 + 0.05)
    assert build_summary(SOME, 0.42, {})["coverage"]["no data at all"] == 0.25
    assert format_totals(some, 0.42).endswith(
        "mapped; threshold 0.42; 20.0% of the scene has too few acquisitions"
    )


def test_a_map_without_a_pixel_is_refused_with_the_reason() -> None:
    check_mapped(SOME, "scene.nc", {"hokkaido_1": "damaged"})
    with pytest.raises(ValueError, match=r"but scene\.nc has none\. No pixel .* of each orbit"):
        check_mapped(EMPTY, "scene.nc", {})
    with pytest.raises(ValueError, match=r"A map needs data, but scene\.nc has none\. damaged"):
        check_mapped(EMPTY, "scene.nc", {"hokkaido_1": "damaged"})


def test_a_summary_is_strict_json(tmp_path: Path) -> None:
    summary = build_summary(EMPTY, 0.42, {"conversions": ["linear to dB"], "input": {"tiles": 3}})
    write_summary(tmp_path / "summary.json", summary)
    read = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert read == summary
    assert read["area_share"] is None


def test_a_number_that_is_not_finite_is_refused_with_its_path(tmp_path: Path) -> None:
    summary = build_summary(SOME, 0.42, {"seeds": [{"score": 0.5}, {"score": float("nan")}]})
    with pytest.raises(ValueError, match=r"finite, but got seeds\[1\]\.score = nan\. Use None"):
        write_summary(tmp_path / "summary.json", summary)
    assert list(tmp_path.iterdir()) == []


def test_a_fact_cannot_overwrite_a_total() -> None:
    with pytest.raises(ValueError, match=r"a key of its own, but got 'area_m2'"):
        build_summary(SOME, 0.42, {"area_m2": 1.0})


def test_a_summary_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("mine")
    with pytest.raises(FileExistsError):
        write_summary(tmp_path / "summary.json", build_summary(SOME, 0.42, {}))
    assert (tmp_path / "summary.json").read_text() == "mine"


def test_totals_are_formatted_with_count_area_share_and_threshold() -> None:
    assert (
        format_totals(SOME, 0.42)
        == "3 landslides, 3.00 ha, 2.00% of 150.00 ha mapped; threshold 0.42"
    )
    assert format_totals(EMPTY, 0.42) == "no pixel has data; threshold 0.42"
    large = MapTotals(1, 2e7, NONE, 8e9, 0.0)
    assert (
        format_totals(large, 0.5)
        == "1 landslide, 20.0 km², 0.25% of 8,000.0 km² mapped; threshold 0.5"
    )
