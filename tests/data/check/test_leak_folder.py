import json
from dataclasses import asdict

import numpy as np
import pytest

from data.check.leak_folder import audit_files
from data.check.report import Facts, FileReport, FolderReport
from data.check.text import format_report

DAYS = np.datetime64("2018-06-02") + np.arange(15) * 12
EARLY, LATE = (tuple(map(str, DAYS + shift)) for shift in (0, 6))


def make_file(number: int, modality: str, days: tuple[str, ...], share: float) -> FileReport:
    facts = Facts(
        *(
            ("time", "x", "y"),
            (15, 128, 128),
            15,
            days[0],
            days[-1],
            "dB",
            0.0,
            share,
            "EPSG:32654",
        ),
        event="2018-09-05" if share else "",
        days=days,
        corner=(1280.0 * (number % 9), 1280.0 * (number // 9)),
    )
    return FileReport(
        f"{modality}/{number}.nc", modality, f"hokkaido_{number}", "usable", facts=facts
    )


def make_files(late: str) -> list[FileReport]:
    """Make 81 tiles, every second annotated: these have the other dates in the series *late*."""
    return [
        make_file(n, name, LATE if name == late and n % 2 else EARLY, 0.1 * (n % 2))
        for n in range(81)
        for name in ("s1asc", "s1dsc")
    ]


def test_dates_of_one_orbit_s_annotated_files_are_found() -> None:
    (audit,) = audit_files(make_files(late="s1dsc"))
    assert (audit.region, audit.inputs, audit.tiles, audit.annotated) == (
        "hokkaido",
        "all 15",
        81,
        40,
    )
    assert audit.above_chance[0].auc == pytest.approx(1)
    assert {one.modality for one in audit.differing} == {"s1dsc"}


def test_equal_dates_of_a_folder_are_no_leak() -> None:
    (audit,) = audit_files(make_files(late=""))
    assert not audit.above_chance


def test_a_tile_counts_with_the_files_of_all_modalities() -> None:
    files = [file for file in make_files(late="") if file.path != "s1dsc/3.nc"]
    assert audit_files(files)[0].tiles == 80
    assert audit_files([]) == ()


def test_the_audit_is_part_of_the_report_as_text_and_json() -> None:
    files = make_files(late="s1asc")
    report = FolderReport(
        *("tiles", False, False, "dB", ("s1asc", "s1dsc"), {"hokkaido": 81}),
        files=tuple(files),
        tiles=(),
        leaks=audit_files(files),
    )
    text = " ".join(format_report(report).split())
    assert "warning: The label leaks: annotated tiles of hokkaido" in text
    assert json.loads(json.dumps(asdict(report)))["leaks"][0]["groups"][0]["auc"] == 1
    assert not report.unusable  # a leak is a warning
