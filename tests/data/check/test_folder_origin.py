"""Whether tiles are real or synthetic is a fact inside their files, and a folder's regions are those of its names."""

import json
import shutil
from pathlib import Path

import pytest

from data.check import check_folder
from data.check.__main__ import main
from data.tiles import TileError, list_tiles, tile_path
from tests.support.real_tiles import REAL_TILES


def copy(source: Path, root: Path, tile_id: str, modality: str) -> None:
    path = tile_path(root, tile_id, modality)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tile_path(source, tile_id, modality), path)


def test_the_real_tile_is_said_to_be_real(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(REAL_TILES), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    start = f"Data: real, region italy: 1 tile in {REAL_TILES}, without a manifest.\n"
    assert out.startswith(start)
    assert "suspicious: several-tracks (1)\n  e.g. s1dsc/italy_s1dsc_4120.nc: Dates span 2" in out
    assert "\n3 files: 2 usable, 1 suspicious, 0 unusable.\n" in out
    assert "3.85 %  EPSG:32632" in out


def test_tiles_of_the_twin_stay_synthetic_without_their_manifest(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tile_id in list_tiles(twin)[:3]:
        copy(twin, tmp_path, tile_id, "s1asc")
    assert main([str(tmp_path), "--workers", "1"]) == 0
    start = (
        f"Data: SYNTHETIC (the twin's), region hokkaido: 3 tiles in {tmp_path}, without a manifest."
    )
    assert capsys.readouterr().out.startswith(start)
    (tmp_path / "fetch.json").write_text(json.dumps({"synthetic": False, "files": {}}))
    with pytest.raises(ValueError, match=r"fetch\.json says that they are real, and their files"):
        check_folder(tmp_path, workers=1, progress=False)


def test_a_folder_of_both_kinds_is_refused_with_an_example_of_each(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tile_id = list_tiles(twin)[0]
    copy(twin, tmp_path, tile_id, "s1asc")
    copy(REAL_TILES, tmp_path, "italy_4120", "s1asc")
    name = tile_path(Path(), tile_id, "s1asc").as_posix()
    match = f"but {name} is the synthetic twin's and s1asc/italy_s1asc_4120.nc is real"
    with pytest.raises(TileError, match=match):
        check_folder(tmp_path, workers=1, progress=False)
    assert main([str(tmp_path), "--workers", "1"]) == 1
    assert capsys.readouterr().err.endswith("Keep the twin in a folder of its own.\n")


def touch(root: Path, region: str, *numbers: int) -> None:
    for orbit in ("s1asc", "s1dsc"):
        (root / orbit).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            (root / orbit / f"{region}_{orbit}_{number}.nc").touch()


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A folder of empty files named like those of 13 regions."""
    for region in "abcdefghijkl":
        touch(tmp_path, region, *range(20))
    touch(tmp_path, "hokkaido", 1, 7, 14, 579)
    return tmp_path


def test_empty_files_of_all_regions_are_counted_in_a_screen(
    names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(names)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"Data: of unknown origin, 13 regions: 244 tiles in {names}, without")
    assert len(out.splitlines()) <= 40
    rows = [line.split() for line in out.splitlines()]
    assert ["hokkaido", "4", "8", "0", "0", "8"] in rows
    assert ["a", "20", "40", "0", "0", "40"] in rows
    assert "suspicious: not-in-catalogue (3)\n" in out
    assert "\n  hokkaido_1, hokkaido_7, hokkaido_14\n" in out
    assert "unusable: empty (488)\n  e.g. A tile must be readable NetCDF, but got an empty" in out
    assert "s1asc/a_s1asc_1.nc, s1asc/a_s1asc_2.nc and 485 more (--verbose names all)" in out
    assert out.endswith("488 unusable.\n244 tiles without a usable file.\n")


def test_verbose_names_every_file(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(names), "--verbose", "--region", "b", "hokkaido"]) == 1
    out = capsys.readouterr().out
    assert "2 regions: 24 tiles" in out
    assert all(f"{names}/s1dsc/b_s1dsc_{number}.nc." in out for number in range(20))
    assert "a_s1asc" not in out


def test_an_unknown_region_is_refused(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(names), "--region", "hokaido"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: Unknown region 'hokaido'. Did you mean 'hokkaido'?")


def test_one_region_is_checked_alone(twin: Path, tmp_path: Path) -> None:
    tile_id = list_tiles(twin)[0]
    copy(twin, tmp_path, tile_id, "s1asc")
    touch(tmp_path, "noto", 1)
    report = check_folder(tmp_path, workers=1, progress=False, regions=["hokkaido"])
    assert (report.regions, report.unusable) == ({"hokkaido": 1}, [])
