"""The check reports everything broken and nothing else, and does not crash."""

import json
import os
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from data.check import check_folder
from data.check.__main__ import main
from data.check.tile import CheckJob, TileCheck, check_each, check_tile
from data.tiles import MODALITIES, ORBITS, TileError, list_tiles, open_tile, tile_path
from data.tiles.catalogue import read_catalogue
from data.twin import make_twin
from tests.support.mutate import KINDS, mutate
from tests.support.tile_files import make_dataset, to_linear, write

pytestmark = pytest.mark.file_s(100)

Copy = Callable[[], Path]


@pytest.fixture
def tiles(twin: Path, tmp_path: Path) -> Path:
    """Three tiles of the twin with landslides, and a manifest of just these."""
    root, manifest = tmp_path / "tiles", json.loads((twin / "twin.json").read_text())
    chosen = list_annotated(twin)[:3]
    names = [tile_path(Path(), tile, orbit).as_posix() for tile in chosen for orbit in ORBITS]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(twin / name, root / name)
    manifest["files"] = {name: manifest["files"][name] for name in names}
    (root / "twin.json").write_text(json.dumps(manifest))
    return root


def list_annotated(root: Path) -> list[str]:
    return [tile for tile in list_tiles(root) if read_catalogue()[tile].annotated_px > 0]


def list_outcomes(path: Path) -> list[str]:
    try:
        return sorted({warning.name for warning in open_tile(path).warnings}) or ["clean"]
    except TileError as error:
        return [error.verdict]


def run_mutations(twin: Path, folder: Path, count: int) -> dict[str, Counter[str]]:
    """Damage *count* copies of the twin's files; print and return the results."""
    rng, counts = np.random.default_rng(2018), defaultdict[str, Counter[str]](Counter)
    annotated = list_annotated(twin)
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        source = tile_path(twin, str(rng.choice(annotated)), str(rng.choice(ORBITS)))
        path = folder / str(number) / source.name
        path.parent.mkdir()
        shutil.copyfile(source, path)
        expected, outcomes = mutate(path, kind, rng), list_outcomes(path)
        assert expected in outcomes, f"{kind} must give {expected}, but got {outcomes} in {path}."
        counts[kind][" + ".join(outcomes)] += 1
        shutil.rmtree(path.parent)
    for kind, outcomes in counts.items():
        print(f"{kind:>24}: {', '.join(f'{name} {n}' for name, n in outcomes.most_common())}")
    return counts


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_mutation_gets_its_verdict_or_warning(count: int, twin: Path, tmp_path: Path) -> None:
    counts = run_mutations(twin, tmp_path, count)
    assert list(counts) == list(KINDS)
    assert sum(outcomes.total() for outcomes in counts.values()) == count
    assert not any("clean" in outcomes for outcomes in counts.values())
    # A blank date has two warnings, since it has no data either, and so have fills that nobody declares.
    double = {kind for kind, outcomes in counts.items() if any(" + " in name for name in outcomes)}
    # A nudged tile is off its place, and off its GeoTransform.
    fills = {"+inf block", "-inf", "netCDF's own fill", "0 dB block"}
    assert fills <= double <= {"blank step", "nudged", *fills}


def test_the_untouched_twin_is_clean(twin: Path) -> None:
    report = check_folder(twin, progress=False)
    assert (report.synthetic, report.units, report.modalities) == (True, "dB", ORBITS)
    assert len(report.files) == 24
    assert {one.state for one in (*report.files, *report.tiles)} == {"usable"}
    assert all(one.warnings == () for one in (*report.files, *report.tiles))


def test_facts_are_those_of_the_file(twin: Path) -> None:
    tile = list_annotated(twin)[0]
    report = check_folder(twin, workers=1, progress=False)
    file = next(file for file in report.files if file.tile_id == tile)
    facts, opened = file.facts, open_tile(twin / file.path)
    assert facts is not None
    assert (facts.dims, facts.shape, facts.dates) == (("time", "x", "y"), (15, 128, 128), 15)
    assert (facts.first, facts.last) == tuple(str(t)[:10] for t in opened.times[[0, -1]])
    assert (facts.units, facts.crs, facts.nodata_share) == ("dB", "EPSG:32654", 0.0)
    assert facts.mask_share == read_catalogue()[tile].annotated_px / 128**2


def test_a_raw_folder_is_linear_and_clean(tmp_path: Path, twin: Path) -> None:
    raw = make_twin(tmp_path, version="raw", tile_ids=list_tiles(twin)[:2], progress=False)
    report = check_folder(raw, workers=1, progress=False)
    assert report.units == "linear"
    assert {one.state for one in report.files} == {"usable"}
    report = check_folder(raw, units="dB", workers=1, progress=False)
    assert {one.verdict for one in report.files} == {"wrong-unit"}


def test_the_unit_of_a_folder_is_that_of_most_files(tmp_path: Path) -> None:
    for number in (579, 99_998, 99_999):
        write(make_dataset(), tmp_path, number=number)
    odd = write(to_linear(make_dataset()), tmp_path, "s1dsc")
    write(make_dataset("s2"), tmp_path, "s2")
    report = check_folder(tmp_path, workers=1, progress=False)
    assert (report.synthetic, report.units, report.modalities) == (False, "dB", MODALITIES)
    assert [one.warnings[0].text for one in report.tiles[1:]] == [
        "It has no file of s1dsc and s2."
    ] * 2
    assert report.files[-1].facts is not None
    assert (report.files[-1].modality, report.files[-1].facts.units) == ("s2", "")
    refused = report.unusable
    assert [one.verdict for one in refused] == ["wrong-unit"]
    rule = f"A Sentinel-1 file of this folder must be in dB, but got linear in {odd}. Get it from"
    assert refused[0].reason.startswith(rule)


def test_the_command_prints_a_table_of_a_clean_folder(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tiles), "--workers", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"Data: SYNTHETIC (the twin's), region hokkaido: 3 tiles in {tiles}."
    assert out[2].split()[:5] == ["modality", "files", "usable", "suspicious", "unusable"]
    assert out[3].split()[:5] == ["s1asc", "3", "3", "0", "0"]
    assert "(15, 128, 128)  2018-03-29 to 2019-02-04  dB    0.00 %" in out[3]
    assert out[3].endswith("EPSG:32654")
    assert out[-2:] == [
        "6 files: 6 usable, 0 suspicious, 0 unusable.",
        "3 tiles across their files: 3 usable, 0 suspicious, 0 unusable.",
    ]


def spoil_some(root: Path) -> tuple[str, str, str]:
    """Make one tile's files suspicious and one file unreadable, and delete one."""
    first, second, third = list_tiles(root)
    for orbit in ORBITS:
        with netCDF4.Dataset(tile_path(root, first, orbit), "r+") as file:
            file["VV"][3, :10, :10] = np.nan
    tile_path(root, second, "s1asc").write_text("no NetCDF")
    tile_path(root, third, "s1dsc").unlink()
    (root / "s1asc" / "copy_of_1.nc").touch()
    (root / "s1asc" / "notes.txt").touch()
    shutil.copyfile(tile_path(root, third, "s1asc"), root / "s1dsc" / "hokkaido_s1asc_1.nc")
    return first, second, third


def test_the_command_groups_warnings_and_prints_each_reason(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = spoil_some(tiles)
    assert main([str(tiles)]) == 1
    out = capsys.readouterr().out
    number = first.removeprefix("hokkaido_")
    example = f"e.g. s1asc/hokkaido_s1asc_{number}.nc: No data in 0.041 % of VV."
    assert f"suspicious: nodata (2)\n  {example}\n  {first}\n" in out
    changed = ", ".join(sorted([first, second]))
    assert "suspicious: changed (3)" in out
    assert f"\n  {changed}\n" in out
    spoilt = tile_path(tiles, second, "s1asc")
    assert "unusable: unreadable (1)\n  A tile must be readable NetCDF, but got OSError: " in out
    words = " ".join(out.split())
    assert f" in {spoilt}. Get the file again, or remove the tile from all folders." in words
    gone = tile_path(tiles, third, "s1dsc")
    assert "unusable: missing (1)\n  A tile file must exist, but got none at" in out
    assert f"got none at {gone}. Check" in words
    assert "unusable: misnamed (2)\n  A tile file must be named" in out
    assert "A tile file must be in the folder of its modality, but got" in words
    assert "ignored, not .nc: s1asc/notes.txt" in out
    assert "\n\n8 files: 2 usable, 2 suspicious, 4 unusable.\n3 tiles across" in out


def test_the_command_prints_only_json(tiles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil_some(tiles)
    (tiles / "twin.json").unlink()
    assert main([str(tiles), "--json", "--workers", "1"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["synthetic"], report["manifest"]) == (True, False)  # the files say so
    assert report["regions"] == {"hokkaido": 3}
    assert [tile["warnings"] for tile in report["tiles"]][2] == [
        {"name": "unpaired", "text": "It has no file of s1dsc."}
    ]
    assert {file["state"] for file in report["files"]} == {"usable", "suspicious", "unusable"}


@pytest.mark.parametrize("name", ["nowhere", "", "s1asc"])
def test_the_command_refuses_other_folders(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s1asc").mkdir()
    assert main([str(tmp_path / name), "--json"]) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    rule = "error: A tile folder must hold NetCDF files in s1asc, s1dsc or s2, but got none in"
    assert caught.err.startswith(
        f"{rule} {tmp_path / name}. Choose the folder above those subfolders."
    )


def test_the_command_refuses_a_wrong_request(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tiles), "--workers", "0"]) == 2
    assert "error: --workers must be 1 or more, but got 0." in capsys.readouterr().err
    (tiles / "twin.json").write_text("{}")
    assert main([str(tiles)]) == 1
    assert (
        "error: A manifest must have the keys files and synthetic, but got"
        in capsys.readouterr().err
    )


def test_files_of_a_tile_on_two_grids_are_refused(tmp_path: Path) -> None:
    write(make_dataset(), tmp_path)
    moved = make_dataset()
    write(moved.assign_coords(x=moved["x"] + 20), tmp_path, "s1dsc")
    report = check_folder(tmp_path, workers=1, progress=False)
    assert [one.verdict for one in report.unusable] == ["grids-differ"]
    assert "must have the same grid, but got" in report.unusable[0].reason


def check_or_die(
    fatal: tuple[str, str], work: Callable[[CheckJob], TileCheck], job: CheckJob
) -> TileCheck:
    if job.tile_id == fatal[0] and fatal[1] in job.hashes:
        os.kill(os.getpid(), signal.SIGSEGV)  # as a C library does that reads a damaged file
    return work(job)


def test_only_the_file_that_crashes_its_process_is_unusable(tiles: Path) -> None:
    names = list_tiles(tiles)
    jobs = [CheckJob(name, dict.fromkeys(ORBITS, "")) for name in names]
    work = partial(check_or_die, (names[1], "s1dsc"), partial(check_tile, tiles, None))
    checked = check_each(work, jobs, workers=1, progress=False)
    assert [one.tile.tile_id for one in checked] == names
    files = {file.path: file for one in checked for file in one.files}
    crashed = files.pop(tile_path(Path(), names[1], "s1dsc").as_posix())
    assert (crashed.state, crashed.verdict) == ("unusable", "crash")
    assert "must be readable NetCDF, but got a crash of the process that read" in crashed.reason
    assert len(files) == 5
    assert {file.state for file in files.values()} == {"usable"}
    assert checked[1].tile.modalities == ORBITS
    assert {one.tile.warnings for one in checked} == {()}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"synthetic": true, "files": {"s1asc/a.nc": 7}}'])
def test_a_manifest_with_wrong_types_is_refused(
    tiles: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tiles / "twin.json").write_text(text)
    assert main([str(tiles)]) == 1
    assert (
        "error: A manifest must have the keys files and synthetic, but got"
        in capsys.readouterr().err
    )


def test_a_manifest_reaches_no_file_outside_the_folder(
    tiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tiles.parent / "hokkaido_s1asc_1.nc"
    outside.write_text("private")
    files = {"../hokkaido_s1asc_1.nc": "0" * 64, str(outside): "0" * 64}
    (tiles / "twin.json").write_text(json.dumps({"synthetic": True, "files": files}))
    report = check_folder(tiles, workers=1, progress=False)
    strange = {file.path: file.verdict for file in report.files if file.path in files}
    assert strange == dict.fromkeys(files, "misnamed")
