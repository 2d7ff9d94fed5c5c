"""The command that checks the machine: its lines, its last line, its exit code, and what breaks under it."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tuning.doctor.__main__ import CHECKS, ROOT, TWIN, WIDTH, Asked, conclude, format_finding, main
from tuning.doctor.finding import fail, ok, warn

HOME = Path(__file__).parents[3]
HEAVY = ("torch", "ray", "mlflow", "psutil", "packaging", "numpy", "netCDF4", "xarray")


def environment(*before: Path) -> dict[str, str]:
    paths = os.pathsep.join(map(str, (*before, HOME)))
    left_out = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    return {key: value for key, value in os.environ.items() if key not in left_out} | {
        "PYTHONPATH": paths
    }


def run(*words: str, before: tuple[Path, ...] = (), cwd: Path = HOME) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed, after a look at the latter's shape."""
    done = subprocess.run(
        [sys.executable, "-m", "tuning.doctor", *words],
        cwd=cwd,
        env=environment(*before),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


def hide(folder: Path, *names: str) -> Path:
    """Make packages that cannot be imported."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f'raise ImportError("No module named {name!r}")\n')
    return folder


def verdicts(out: str) -> dict[str, str]:
    rows = [line.split() for line in out.splitlines() if line[:4] in ("ok  ", "warn", "FAIL")]
    return {row[1]: row[0] for row in rows}


@pytest.mark.slow
def test_machine_that_runs_these_tests_can_run_the_benchmark(tmp_path: Path) -> None:
    code, out = run("--root", str(tmp_path / "new"))
    assert "FAIL" not in out
    assert code == 0
    assert list(verdicts(out)) == list(CHECKS)
    assert out.splitlines()[-1].startswith("All 12 checks passed")
    assert out.splitlines()[-1].endswith(
        f": python -m tuning.run --model all --root {tmp_path / 'new'}"
    )
    assert list(tmp_path.iterdir()) == []  # neither the folder nor a database
    assert max(map(len, out.splitlines()[:-1])) <= max(WIDTH, len(str(tmp_path)) + 40)


def test_every_package_can_be_missing(tmp_path: Path) -> None:
    code, out = run("--data", str(tmp_path), before=(hide(tmp_path / "hidden", *HEAVY),))
    assert code == 1
    found = verdicts(out)
    assert list(found) == list(CHECKS)
    without = {"packages", "memory", "GPU", "MLflow", "Ray", "data"}
    assert {name for name, verdict in found.items() if verdict == "FAIL"} == without
    assert out.count("-> python -m pip install -c constraints.txt -e .") == len(without)
    assert out.splitlines()[-1] == f"6 of 12 checks failed: {', '.join(sorted_as(without))}."


def sorted_as(names: set[str]) -> list[str]:
    return [name for name in CHECKS if name in names]


def test_output_is_one_document_where_asked_for(tmp_path: Path) -> None:
    code, out = run("--json", before=(hide(tmp_path / "hidden", *HEAVY),))
    document = json.loads(out)
    assert code == 1
    assert [row["name"] for row in document["checks"]] == list(CHECKS)
    assert document["checks"][0]["verdict"] == "ok"
    assert set(document["checks"][0]) == {"name", "verdict", "found", "remedy"}
    assert "checks failed: " in document["verdict"]


def test_folder_that_shadows_platform_is_named(tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "__init__.py").touch()
    code, out = run(cwd=tmp_path)
    assert code == 1
    assert verdicts(out)["platform"] == "FAIL"
    assert "must give the standard library's, but got" in out
    assert f"Rename {tmp_path / 'platform'}, or start from another folder." in " ".join(out.split())


def test_older_python_can_read_what_tells_it_so() -> None:
    for name in ("__main__", "finding", "machine"):
        source = (HOME / "tuning" / "doctor" / f"{name}.py").read_text()
        ast.parse(source, feature_version=(3, 8))
        assert "from __future__ import annotations" in source  # or 'Path | None' would not load


def test_wrong_argument_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--rot", "x"], ["--root"], ["mlruns"], ["--data"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2
        assert "usage: python -m tuning.doctor" in capsys.readouterr().err


@pytest.mark.slow
def test_interrupted_command_leaves_no_ray_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tuning.doctor", "--root", str(tmp_path / "new")],
        cwd=HOME,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "MLflow" not in process.stdout.readline():
            pass
        below = []
        while not any("raylet" in one.name() or "gcs_server" in one.name() for one in below):
            time.sleep(0.2)
            assert process.poll() is None
            below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip().endswith("Interrupted.")
    _, alive = psutil.wait_procs(below, timeout=20)
    assert alive == []


def test_finding_is_laid_out_in_columns() -> None:
    found = format_finding("MLflow", fail("one two " * 20, "a-long-command --with " + "x" * 120))
    lines = found.splitlines()
    assert lines[0].startswith("FAIL  MLflow     one two")
    assert lines[1].startswith(" " * 17 + "two one")
    assert any(line.startswith(" " * 17 + "-> a-long-command --with") for line in lines)
    assert "x" * 120 in found  # a path or command stays whole
    assert format_finding("Ray", ok("well")) == "ok    Ray        well"


def test_last_line_counts_and_says_what_to_type() -> None:
    usual = Asked(ROOT, TWIN, None)
    two = {"a": ok("x"), "b": warn("x", "y")}
    run_it = "python -m tuning.run --model all"
    assert conclude({"a": ok("x")}, usual) == f"All 1 checks passed: {run_it}"
    assert conclude(two, usual) == f"All 2 checks passed, 1 with a warning: {run_it}"
    other = Asked(Path("a b"), "tiles", "127.0.0.1:6379")
    more = "--data tiles --root 'a b' --address 127.0.0.1:6379"
    assert conclude(two, other).endswith(f": {run_it} {more}")
    assert conclude({**two, "c": fail("x", "y")}, usual) == "1 of 3 checks failed: c."
