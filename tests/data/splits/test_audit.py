import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest

from data.io.processes import WorkerDied
from data.splits import make_split, survey_catalogue
from data.splits.__main__ import main
from data.splits.audit import audit_splits
from data.splits.audit_map import draw_audit
from data.splits.audit_text import format_audit
from data.splits.leakage import SplitStatistics, compute_split_statistics
from data.tiles import list_tiles
from data.tiles.catalogue import GRID_M, read_catalogue
from tests.support.surveys import survey_tiles

Copy = Callable[[], Path]
Spoil = Callable[[Path, str, str], Path]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder, to which the map is written by default."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def compute_statistics(name: str) -> SplitStatistics:
    return compute_split_statistics(make_split(name, survey_catalogue()), survey_catalogue())


def count_touching(split: SplitStatistics) -> tuple[int, ...]:
    return tuple(len(split.touching_by_edge[p]) for p in ("val", "test")) + tuple(
        len(split.touching[p]) for p in ("val", "test")
    )


@pytest.mark.parametrize(
    ("name", "touching"),
    [
        ("seed42", (21, 20, 23, 24)),
        ("s12ls-ld", (22, 30, 22, 30)),
        ("blocks", (7, 0, 12, 0)),
        ("blocks:5/1", (12, 0, 18, 0)),
    ],
)
def test_audit_counts_tiles_that_touch_train(name: str, touching: tuple[int, ...]) -> None:
    assert count_touching(compute_statistics(name)) == touching


def test_audit_computes_part_statistics() -> None:
    statistics = compute_statistics("blocks")
    assert [part.tiles for part in statistics.parts.values()] == [184, 27, 79]
    assert [part.with_landslides for part in statistics.parts.values()] == [97, 17, 36]
    assert sum(part.positive_px for part in statistics.parts.values()) == 337_491
    assert [part.ratio for part in statistics.parts.values()] == pytest.approx(
        [1.03, 0.98, 0.94], abs=0.005
    )
    assert statistics.parts["test"].share == 86_805 / (79 * 128 * 128)


def test_audit_reads_positions_from_the_files() -> None:
    tiles, split = dict(survey_catalogue()), make_split("blocks", survey_catalogue())
    at = tiles[split.train[0]]
    tiles[split.test[0]] = replace(at, tile_id=split.test[0], west_m=at.west_m + GRID_M)
    statistics = compute_split_statistics(split, tiles)
    assert split.test[0] in statistics.touching_by_edge["test"]


def test_audit_reads_the_tiles_of_a_folder(twin: Path) -> None:
    audit = audit_splits(twin, ["blocks"])
    assert audit.synthetic
    assert sorted(audit.survey.tiles) == list_tiles(twin)
    for tile in audit.survey.tiles.values():
        known = read_catalogue()[tile.tile_id]
        assert tile.annotated_px == known.annotated_px
        assert (tile.west_m / GRID_M, tile.north_m / GRID_M) == (known.column, known.row + 1)


def test_audit_reads_a_folder_of_one_orbit_direction(copy_tiles: Copy) -> None:
    tiles = copy_tiles()
    for file in (tiles / "s1asc").iterdir():
        file.unlink()
    (tiles / "s1asc").rmdir()
    assert len(audit_splits(tiles, ["blocks"]).survey.tiles) == 12


def test_audit_names_a_tile_with_one_orbit_direction(
    copy_tiles: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = copy_tiles()
    lone = min((tiles / "s1dsc").iterdir())
    lone.unlink()
    assert main([str(tiles), "--split", "blocks"]) == 0
    number = lone.stem.split("_")[-1]
    assert f"Skipped, one orbit direction only: hokkaido_{number}" in capsys.readouterr().out


def test_command_prints_a_table_and_draws_a_map(
    twin: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(twin)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Data: SYNTHETIC (the twin's) tiles in {twin}."
    assert lines[-1] == "Map: mlruns/splits.png"
    rows = [line.split() for line in lines if line.startswith("  ")]
    assert [row[1] for row in rows[1:5]] == ["12", "4", "4", "4"]
    for name in ("seed42", "s12ls-ld", "blocks:5/1", "blocks:5/5"):
        assert any(line.startswith(f"{name}  hash ") for line in lines)
    assert any("not usable with this folder: no tile in" in line for line in lines)
    image = matplotlib.image.imread(elsewhere / "mlruns" / "splits.png")
    assert image.shape[1] == 900  # four panels, two by two
    assert image.shape[0] > 1000
    assert image.std() > 0.05


def test_command_writes_one_json_document(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "maps" / "one.png"
    assert main([str(twin), "--split", "blocks", "blocks:2", "--json", "--map", str(to)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["synthetic"] is True
    assert document["map"] == str(to)
    assert [split["name"] for split in document["splits"]] == ["blocks", "blocks:2/1", "blocks:2/2"]
    blocks = document["splits"][0]
    assert [blocks["parts"][part]["tiles"] for part in ("train", "val", "test")] == [4, 4, 4]
    assert blocks["touching_train_by_edge_or_corner"]["test"] == []
    assert len(blocks["missing"]) == 290 - 12
    assert matplotlib.image.imread(to).shape[1] == 900


def test_command_names_a_bad_tile_and_audits_the_rest(
    copy_tiles: Copy, spoil: Spoil, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = copy_tiles()
    bad = make_split("blocks", survey_tiles(list_tiles(tiles))).test[0]
    spoil(tiles, bad, "s1dsc")
    assert main([str(tiles), "--split", "blocks"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"Data: SYNTHETIC (the twin's) tiles in {tiles}")
    assert f"Skipped, unusable: {bad}: A tile must be readable NetCDF" in out
    assert next(line.split()[1] for line in out.splitlines() if line.startswith("  all")) == "11"


def test_audit_names_a_tile_whose_process_died(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "data.splits.leakage.map_processes", lambda work, items, *_, **__: [WorkerDied()] * 12
    )
    audit = audit_splits(twin, ["blocks"])
    assert audit.survey.unusable[list_tiles(twin)[0]].startswith("The process that read hokkaido_")
    assert "share" in format_audit(audit)
    assert len(draw_audit(audit).axes) == 1


def test_command_refuses_files_of_a_tile_at_two_positions(
    copy_tiles: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = copy_tiles()
    first, second = (path.stem.split("_")[-1] for path in sorted((tiles / "s1asc").iterdir())[:2])
    files = [tiles / "s1asc" / f"hokkaido_s1asc_{number}.nc" for number in (first, second)]
    files[0].write_bytes(files[1].read_bytes())
    assert main([str(tiles), "--split", "blocks"]) == 1
    out = capsys.readouterr().out
    assert "must have one position, but got (" in out
    assert f" m in EPSG:32654 for hokkaido_{first}." in out


def test_command_audits_a_split_file(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = list_tiles(twin)
    rows = zip(ids, ["train"] * 6 + ["val"] * 2 + ["test"] * 3 + ["buffer"], strict=True)
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["tile_id,part", *(f"{tile},{part}" for tile, part in rows)]))
    assert main([str(twin), "--split", str(file)]) == 0
    out = capsys.readouterr().out
    assert f" = {file}  hash " in out
    assert "1 in the buffer, none missing, none unused" in out
    assert f"  buffer                    1  {ids[-1]}" in out


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("blok", r"error: Unknown split 'blok'. Did you mean 'blocks'?"),
        ("blocks:12", "error: K of blocks:K/F must be from 2 to 10, but got 12"),
        ("none.json", "error: A split file must be readable text"),
        (
            "file:0123456789ab",
            "error: A stored split needs the folder that holds it, but got none for",
        ),
    ],
)
def test_command_refuses_a_split(
    twin: Path, split: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(twin), "--split", "blocks", split]) == 2
    assert message in capsys.readouterr().err


def test_command_refuses_a_folder_without_tiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "error: A tile folder must hold" in capsys.readouterr().err


def test_command_refuses_another_format_of_map(
    twin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(twin), "--map", "splits.pdf"])
    assert "A map must end in .png, but got splits.pdf." in capsys.readouterr().err


def test_command_fails_if_the_map_cannot_be_written(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(twin), "--split", "blocks", "--map", str(tmp_path / "file" / "a.png")]) == 1
    assert "error: The map must be writable, but got" in capsys.readouterr().err


def test_module_is_the_command(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "data.splits", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: A tile folder must hold")
