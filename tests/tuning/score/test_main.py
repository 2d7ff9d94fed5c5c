import csv
import json
from pathlib import Path

import pytest

from data.pack import Pack
from data.splits import Split
from tuning.score.__main__ import main
from tuning.score.target import open_target
from tuning.score.template import write_template


def test_template_lists_test_and_val_tiles_with_their_grid(
    logged: Path, tmp_path: Path, pack: Pack, split: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    assert main(["--template", str(folder), "--root", str(logged)]) == 0
    assert "blocks: 4 test tiles, 4 val tiles" in capsys.readouterr().out
    assert json.loads((folder / "split.json").read_text())["split_hash"] == split.hash
    rows = list(csv.DictReader((folder / "tiles.csv").open()))
    parts = {
        part: [row["tile_id"] for row in rows if row["part"] == part] for part in ("test", "val")
    }
    assert parts == {"test": list(split.test), "val": list(split.val)}
    row = rows[0]
    west, north = pack.corners[pack.tile_ids.index(row["tile_id"])]
    assert [float(row[name]) for name in "abcdef"] == [10, 0, west, 0, -10, north]
    assert (row["crs"], row["height"], row["region"]) == ("EPSG:32654", "128", "hokkaido")


def test_template_keeps_a_provenance_and_the_split_of_others(logged: Path, tmp_path: Path) -> None:
    target = open_target(logged, None)
    (tmp_path / "provenance.json").write_text('{"made_by": "me"}')
    write_template(target, tmp_path)
    assert json.loads((tmp_path / "provenance.json").read_text()) == {"made_by": "me"}
    (tmp_path / "split.json").write_text('{"split_hash": "other"}')
    with pytest.raises(ValueError, match="must be of the split blocks of campaign own"):
        write_template(target, tmp_path)
    assert json.loads((tmp_path / "split.json").read_text()) == {"split_hash": "other"}


def test_bad_arguments_are_refused_with_exit_code_2(
    logged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--predictions", str(tmp_path), "--root", str(logged)]
    for more, text in (
        ([], "--predictions needs a name for the row"),
        (
            ["--name", "x", "--threshold", "1.5"],
            "--threshold must be a probability from 0 to 1, but got 1.5",
        ),
        (["--name", "x", "--campaign", "ovn"], "Unknown campaign 'ovn'. Did you mean 'own'?"),
    ):
        assert main([*words, *more]) == 2
        assert text in capsys.readouterr().err
    assert main(["--template", str(tmp_path / "t"), "--name", "x", "--root", str(logged)]) == 2
    assert "--template takes --campaign and --root alone, but got --name" in capsys.readouterr().err


def test_folder_that_is_no_output_folder_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "typo"
    assert main(["--template", str(tmp_path / "t"), "--root", str(root)]) == 2
    assert "The output folder must hold a campaign's database" in capsys.readouterr().err
    assert not root.exists()


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python -m tuning.score --predictions maps --name prithvi" in capsys.readouterr().out
