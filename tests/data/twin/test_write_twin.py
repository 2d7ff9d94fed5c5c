"""The twin has the real format, reproducible bytes, no seams and no leaked labels, and is written atomically."""

import csv
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.splits import split as split_module
from data.tiles import ORBITS, TILE_PX, hash_file, list_tiles, open_tile, tile_path
from data.tiles.catalogue import CATALOGUE_FILE
from data.twin import MANIFEST, make_twin, write_twin
from data.twin.__main__ import main
from data.twin.noise import HALO_PX, Noise, NoiseWindow
from data.twin.regions import HOKKAIDO, read_sites
from data.twin.surface import make_base, make_surface
from data.twin.terrain import Cover, Terrain, crop_halo, make_cover, make_terrain

ROOT = Path(__file__).parents[3]
SLIDES, EMPTY = "hokkaido_743", "hokkaido_1006"  # 1,864 annotated pixels; none
SPLIT = Path(split_module.__file__).with_name("split_blocks.json")
from tests.support.tile_files import EVENT


def make(root: Path, *tile_ids: str, **request: object) -> Path:
    chosen = tile_ids or (SLIDES, EMPTY)
    return make_twin(root, tile_ids=chosen, progress=False, **request)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("root"))


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> Path:
    """A complete twin that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / folder.name))


def hashes_of(folder: Path) -> dict[str, str]:
    return {path.name: hash_file(path) for path in sorted(folder.rglob("*.nc"))}


# ------------------------------------------------------------------------------------- the files


def test_twin_has_both_orbits_and_a_manifest(folder: Path) -> None:
    assert list_tiles(folder) == sorted([SLIDES, EMPTY])
    manifest = json.loads((folder / MANIFEST).read_text())
    assert (manifest["synthetic"], manifest["seed"]) == (True, 2018)
    assert manifest["version"] == "harmonized"
    assert {Path(name).name: value for name, value in manifest["files"].items()} == hashes_of(
        folder
    )


@pytest.mark.parametrize("orbit", ORBITS)
def test_tile_has_the_published_layout(folder: Path, orbit: str) -> None:
    with xr.open_dataset(tile_path(folder, SLIDES, orbit)) as file:
        assert dict(file.sizes) == {"time": 15, "x": 128, "y": 128}
        kinds = {"VV": "float32", "VH": "float32", "MASK": "uint8", "DEM": "int16"}
        assert {name: str(file[name].dtype) for name in kinds} == kinds
        assert {file[name].dims for name in kinds} == {("time", "x", "y")}
        assert file["time"].dtype == np.dtype("datetime64[ns]")
        assert (file["spatial_ref"].dims, "32654" in file["spatial_ref"].attrs["crs_wkt"]) == (
            (),
            True,
        )
        # As published: the corner lies on the 1280 m grid, the "centre" is that of pixel 64.
        assert (float(file.x[0]) % 1280, float(file.y[0]) % 1280) == (0, 0)
        assert float(file.attrs["center_lat"]) == float(file.y[64])
        assert float(file.attrs["center_lon"]) == float(file.x[64])
        assert file.attrs["event_date"] == "2018-09-05"
        assert file.attrs["pre_post_dates"] == "{'pre': 7, 'post': 8}"
        assert len(file.attrs["ann_id"].split(",")) == file.attrs["ann_bbox"].count("(")


def test_annotation_is_empty_without_landslides(folder: Path) -> None:
    with xr.open_dataset(tile_path(folder, EMPTY, "s1asc")) as file:
        names = ("ann_id", "ann_bbox", "event_date", "date_confidence", "pre_post_dates")
        assert {name: file.attrs[name] for name in names} == dict.fromkeys(names, "")
        assert file.attrs["annotated"] == "False"


def test_tile_is_at_the_real_position(folder: Path) -> None:
    with CATALOGUE_FILE.open() as file:
        real = {row["tile_id"]: row for row in csv.DictReader(file)}
    for tile_id in (SLIDES, EMPTY):
        tile = open_tile(tile_path(folder, tile_id, "s1dsc"))
        # The list has centres, a tile has upper-left corners: half of 1280 m apart.
        assert tile.x[0] + 640 == float(real[tile_id]["easting_m"])
        assert tile.y[0] - 640 == float(real[tile_id]["northing_m"])


def test_mask_has_the_real_number_of_pixels() -> None:
    # The densest tile, the smallest positive count, and every 30th.
    sites = sorted(read_sites().values(), key=lambda site: site.annotated_px)
    positive = [site for site in sites if site.annotated_px]
    for site in {positive[0], positive[-1], *sites[::30]}:
        assert make_surface(site, Noise(2018)).slides.mask.sum() == site.annotated_px


def test_both_orbits_share_mask_and_dem(folder: Path) -> None:
    one, other = (open_tile(tile_path(folder, SLIDES, orbit)) for orbit in ORBITS)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.dem, other.dem)
    assert one.mask.sum() == read_sites()[SLIDES].annotated_px


@pytest.mark.parametrize("orbit", ORBITS)
def test_dates_do_not_reveal_the_label(folder: Path, orbit: str) -> None:
    slides, empty = (open_tile(tile_path(folder, tile, orbit)).times for tile in (SLIDES, EMPTY))
    np.testing.assert_array_equal(slides, empty)
    assert (slides < EVENT).sum() == 8


def test_raw_version_is_the_same_tile_in_linear_power(folder: Path, tmp_path: Path) -> None:
    raw = make(tmp_path, SLIDES, version="raw")
    linear = open_tile(tile_path(raw, SLIDES, "s1asc"), units="linear")
    decibels = open_tile(tile_path(folder, SLIDES, "s1asc"))
    # The mantissa is rounded to 9 bits: 10 log10(1 + 2**-10) dB = 0.0042 dB at most.
    np.testing.assert_allclose(linear.bands, decibels.bands, atol=0.005)


# -------------------------------------------------------------------------- same bytes, no seam


def test_raw_tile_over_water_is_the_harmonized_one(tmp_path: Path) -> None:
    water = "hokkaido_94"  # open sea: power near zero, at the lower bound in dB
    harmonized, raw = make(tmp_path, water), make(tmp_path, water, version="raw")
    for orbit in ORBITS:
        expected = open_tile(tile_path(harmonized, water, orbit)).bands
        found = open_tile(tile_path(raw, water, orbit), units="linear").bands
        assert (expected == -50).mean() > 0.01
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = make(tmp_path)
    assert again.name == folder.name
    assert hashes_of(again) == hashes_of(folder)
    assert hash_file(again / MANIFEST) == hash_file(folder / MANIFEST)


def test_other_seed_version_or_tiles_give_another_folder(folder: Path, tmp_path: Path) -> None:
    others = [
        make(tmp_path, seed=7),
        make(tmp_path, version="raw"),
        make(tmp_path, SLIDES),
    ]
    assert len({folder.name, *(path.name for path in others)}) == 4
    assert hashes_of(others[0])[f"hokkaido_s1asc_{SLIDES[9:]}.nc"] not in hashes_of(folder).values()


def test_tile_does_not_depend_on_the_other_tiles(folder: Path, tmp_path: Path) -> None:
    assert hashes_of(make(tmp_path, SLIDES)).items() <= hashes_of(folder).items()


@pytest.mark.slow
def test_workers_do_not_change_the_bytes(tmp_path: Path) -> None:
    chosen = sorted(read_sites())[:9]  # enough for two processes
    one = make(tmp_path / "one", *chosen, workers=1)
    two = make(tmp_path / "two", *chosen, workers=2)
    assert hashes_of(one) == hashes_of(two)


def map_out(window: NoiseWindow) -> tuple[Terrain, Cover, np.ndarray]:
    noise = Noise(2018)
    terrain = make_terrain(window, HOKKAIDO.heights, noise)
    cover = crop_halo(make_cover(window, terrain, noise))
    inner = NoiseWindow(window.columns[HALO_PX:-HALO_PX], window.rows[HALO_PX:-HALO_PX])
    terrain = crop_halo(terrain)
    track = HOKKAIDO.orbits["s1asc"].tracks[0]
    base, _ = make_base(inner, terrain, cover, track, HOKKAIDO.physics, noise)
    return terrain, cover, base


def test_adjacent_tiles_join_without_a_seam() -> None:
    site = read_sites()[SLIDES]
    west = NoiseWindow.around(site.column, site.row)
    east = NoiseWindow.around(site.column + 1, site.row)
    both = NoiseWindow(np.union1d(west.columns, east.columns), west.rows)
    parts, whole = [map_out(west), map_out(east)], map_out(both)
    for name in ("height", "slope", "prominence"):
        joined = np.concatenate([getattr(part[0], name) for part in parts], axis=1)
        np.testing.assert_allclose(joined, getattr(whole[0], name), atol=1e-3)
    for name in ("river", "field", "sea", "forest", "parcel_u"):
        joined = np.concatenate([getattr(part[1], name) for part in parts], axis=1)
        np.testing.assert_array_equal(joined, getattr(whole[1], name))
    joined = np.concatenate([part[2] for part in parts], axis=2)
    np.testing.assert_allclose(joined, whole[2], atol=1e-3)
    # Heights step no more at the border than elsewhere.
    steps = np.abs(np.diff(whole[0].height, axis=1)).mean(axis=0)
    assert steps[TILE_PX - 1] < steps.max()


# ----------------------------------------------------------------------------- written atomically


def test_complete_twin_is_reused(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with caplog.at_level(logging.INFO):
        assert make(folder.parent) == folder
    assert f"Reused the twin in {folder}" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("damage", ["cut", "gone", "other orbit's"])
def test_damaged_file_is_rewritten_and_named(
    damage: str, folder: Path, spoilt: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tile_path(spoilt, SLIDES, "s1asc")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "gone":
        path.unlink()
    else:
        shutil.copy(tile_path(spoilt, SLIDES, "s1dsc"), path)
    whole = tile_path(spoilt, EMPTY, "s1asc").stat().st_mtime_ns
    with caplog.at_level(logging.WARNING):
        assert make(spoilt.parent) == spoilt
    assert f"Rewriting damaged or missing files in {spoilt}: {path.name}" in caplog.text
    assert hashes_of(spoilt) == hashes_of(folder)
    assert tile_path(spoilt, EMPTY, "s1asc").stat().st_mtime_ns == whole


@pytest.mark.parametrize("text", [None, "{", "[]", '{"files": 3}'])
def test_twin_is_rewritten_if_the_manifest_is_damaged(
    text: str | None, folder: Path, spoilt: Path
) -> None:
    if text is None:
        (spoilt / MANIFEST).unlink()
    else:
        (spoilt / MANIFEST).write_text(text)
    make(spoilt.parent)
    assert hash_file(spoilt / MANIFEST) == hash_file(folder / MANIFEST)


def test_failed_write_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", refuse)
    with pytest.raises(
        OSError, match=r"must be written completely, but got NetCDF: HDF error in .*\.nc"
    ):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_losing_a_race_is_no_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = write_twin._publish

    def lose_the_race(aside: Path, target: Path, *rest: object) -> None:
        if not target.exists():
            shutil.copytree(folder, target)
        publish(aside, target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(write_twin, "_publish", lose_the_race)
    made = make(tmp_path)
    assert hashes_of(made) == hashes_of(folder)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_two_processes_at_once_both_succeed(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "data.twin", "--to", str(tmp_path), "--tiles", EMPTY]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    (first, _), (second, _) = (process.communicate(timeout=120) for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert first == second
    assert hashes_of(Path(first.strip())).items() <= hashes_of(folder).items()
    assert len(list(tmp_path.iterdir())) == 1


def test_only_old_temporary_folders_are_deleted(folder: Path, tmp_path: Path) -> None:
    old, young = (tmp_path / f"{folder.name}.{pid}.x" for pid in (1, 2))
    for path in (old, young):
        path.mkdir()
    day_ago = time.time() - 86_400
    os.utime(old, (day_ago, day_ago))
    make(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


# ------------------------------------------------------------------------------------- refusals


def test_full_or_unwritable_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"must be writable and have space, .* with --to"):
        make(tmp_path / "file" / "below")
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"but got 1 MB free of 4 MB needed for"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"seed": -1}, "A seed must be from 0 to 4294967295, but got -1"),
        ({"version": "harmonised"}, "Unknown version 'harmonised'. Did you mean 'harmonized'?"),
        ({"workers": 0}, "Workers must be 1 or more, but got 0"),
        ({"tile_ids": ["hokkaido_7433"]}, "but got 'hokkaido_7433'. Did you mean 'hokkaido_743'?"),
        ({"tile_ids": []}, "A twin must have at least one tile, but got an empty list"),
    ],
)
def test_wrong_request_is_refused(
    request_: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_twin(tmp_path / "new", **request_)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tiles", "hokkaido_7433"],
        ["--version", "harmonised"],
        ["--seed", "-1"],
        ["--workers", "0"],
    ],
)
def test_command_refuses_a_wrong_request_in_one_line(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--to", str(tmp_path), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_command_prints_the_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--to", str(folder.parent), "--tiles", SLIDES, EMPTY]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    (tmp_path / "file").touch()
    assert main(["--to", str(tmp_path / "file"), "--tiles", EMPTY]) == 1
    assert "must be writable and have space" in capsys.readouterr().err
