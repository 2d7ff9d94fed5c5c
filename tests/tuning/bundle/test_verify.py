"""A verification recomputes the tables to the last digit, and names what differs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bundles import edit_campaign, tiny_files, write_bundle
from tuning.bundle.tables import MASTER, PAIRWISE, RUNS, is_same
from tuning.bundle.verify import verify_bundle
from tuning.verify import main

# Refuses what a fresh environment with numpy, scipy and pandas alone does not have.
BLOCKED = """
import importlib.abc, sys
names = {names!r}
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in names:
            raise ImportError(f"{{name}} is not installed")
sys.meta_path.insert(0, Blocker())
from tuning.verify import main
code = main([sys.argv[1]])
print(sorted(set(names) & {{name.partition(".")[0] for name in sys.modules}}))
sys.exit(code)
"""
ABSENT = (
    *("torch", "ray", "mlflow", "xarray", "netCDF4", "sklearn", "matplotlib", "jinja2", "optuna"),
    *("onnx", "onnxruntime", "rasterio", "pyproj", "shapely", "geopandas", "zarr", "PIL", "psutil"),
    *(
        "lazy_loader",
        "threadpoolctl",
        "tqdm",
        "yaml",
        "pyarrow",
        "mlcroissant",
        "huggingface_hub",
        "safetensors",
    ),
)


def change_cell(
    files: dict[str, bytes], table: str, row: int, column: str, cell: str
) -> dict[str, bytes]:
    """Return the files of a bundle with one cell of a table changed."""
    lines = [line.split(",") for line in files[f"tables/{table}"].decode().splitlines()]
    lines[1 + row][lines[0].index(column)] = cell
    return files | {f"tables/{table}": "\n".join(map(",".join, lines)).encode()}


def test_every_table_is_recomputed_to_the_last_digit(tmp_path: Path) -> None:
    verified = verify_bundle(write_bundle(tmp_path / "tiny.zip"))
    assert verified.differences == ()
    assert verified.compared > 500
    assert len(verified.ranking.comparisons) == 3
    assert len(verified.bundle.tables[PAIRWISE]) == 6  # by average precision and by F1
    assert {"mmu_m2", "parameters", "early_recall", "run_id", "campaign"} <= set(verified.taken)
    assert not {"pr_auc_mean", "rank", "verdict", "thr_val"} & set(verified.taken)


CHANGED = {
    (MASTER, 0, "pr_auc_mean"): "VanillaUNet, pr_auc_mean",
    (MASTER, 1, "rank"): "TemporalUNet_ConvLSTM, rank",
    (MASTER, 2, "object_f1"): "LogRatioVV, object_f1",
    (MASTER, 0, "f1_dice_truth"): "VanillaUNet, f1_dice_truth",
    (RUNS, 1, "tp"): "VanillaUNet 123 blocks, tp",
    (PAIRWISE, 0, "p"): "pr_auc primary VanillaUNet TemporalUNet_ConvLSTM, p",
    (PAIRWISE, 3, "verdict"): "f1_dice exploratory VanillaUNet TemporalUNet_ConvLSTM, verdict",
}


def test_each_changed_number_is_named_with_both_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tiny_files()
    for table, row, column in CHANGED:
        files = change_cell(files, table, row, column, "0.125")
    assert main([str(write_bundle(tmp_path / "t.zip", files))]) == 1
    error = capsys.readouterr().err
    for (table, _, _), named in CHANGED.items():
        assert f"{table}, {named}: stored 0.125, recomputed " in error
    assert error.count("stored ") == len(CHANGED)
    assert f"A bundle's tables must follow from its counts, but {len(CHANGED)} of" in error


def test_missing_and_added_rows_are_named(tmp_path: Path) -> None:
    files = tiny_files()
    lines = files[f"tables/{RUNS}"].decode().splitlines()
    files[f"tables/{RUNS}"] = "\n".join(lines[:-1]).encode()
    (found,) = verify_bundle(write_bundle(tmp_path / "r.zip", files)).differences
    assert str(found) == f"{RUNS}, LogRatioVV 0 blocks, the row: stored nothing, recomputed a row"
    files[f"tables/{RUNS}"] = "\n".join([*lines, lines[-1].replace("LogRatioVV", "Other")]).encode()
    (found,) = verify_bundle(write_bundle(tmp_path / "s.zip", files)).differences
    assert str(found) == f"{RUNS}, Other 0 blocks, the row: stored a row, recomputed nothing"


def drop_column(table: str, column: str) -> dict[str, bytes]:
    """Return the files of a bundle without one column of a table."""
    files = tiny_files()
    lines = [line.split(",") for line in files[f"tables/{table}"].decode().splitlines()]
    at = lines[0].index(column)
    kept = [",".join([*line[:at], *line[at + 1 :]]) for line in lines]
    return files | {f"tables/{table}": "\n".join(kept).encode()}


def test_column_of_a_later_release_may_lack_but_no_verdict(tmp_path: Path) -> None:
    later = verify_bundle(write_bundle(tmp_path / "l.zip", drop_column(MASTER, "boundary_f")))
    assert later.differences == ()
    found = verify_bundle(write_bundle(tmp_path / "v.zip", drop_column(PAIRWISE, "verdict")))
    assert {one.column for one in found.differences} == {"verdict"}
    assert "verdict: stored nothing, recomputed " in str(found.differences[0])


def test_another_margin_changes_the_verdicts(tmp_path: Path) -> None:
    def widen(content: dict) -> None:  # type: ignore[type-arg]
        content["margin"] = 0.9

    path = write_bundle(tmp_path / "m.zip", edit_campaign(tiny_files(), widen))
    assert {one.column for one in verify_bundle(path).differences} >= {"margin"}


def test_last_digits_of_another_machine_are_no_difference() -> None:
    assert is_same("0.6210000000001", "0.6210000000002")
    assert not is_same("0.621", "0.6211")
    assert is_same("", "")
    assert is_same("nan", "nan")
    assert not is_same("better", "worse")
    assert not is_same(None, "0.5")
    assert is_same("0.01", "0.010000001", "brier_calibrated_mean")
    assert not is_same("0.01", "0.010000001", "brier_mean")


def test_fresh_environment_verifies_without_torch_ray_and_mlflow(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "tiny.zip")
    code = BLOCKED.format(names=ABSENT)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "VanillaUNet" in done.stdout
    assert "Verified: " in done.stdout
    assert done.stdout.endswith("[]\n")


def test_command_prints_ranking_and_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(write_bundle(tmp_path / "tiny.zip"))]) == 0
    text = capsys.readouterr().out
    assert "Campaign tiny: synthetic tiles of hokkaido, split blocks" in text
    assert "VanillaUNet is " in text
    assert (
        " values of benchmark_master.csv, benchmark_runs.csv, pairwise.csv follow from the counts."
        in text
    )


def test_command_refuses_a_missing_file_and_no_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.zip")]) == 2
    assert "none.zip" in capsys.readouterr().err
    (tmp_path / "other.zip").write_bytes(b"no zip")
    assert main([str(tmp_path / "other.zip")]) == 1
    assert "A bundle must be a zip file, but got" in capsys.readouterr().err
