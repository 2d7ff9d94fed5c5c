"""The command: its lines, its summary, its exit code, and environments in which packages are broken."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import psutil
import pytest

from tuning.doctor.__main__ import CHECKS, ROOT, TWIN, WIDTH, format_result, format_summary, main
from tuning.doctor.check_result import failure, passed, warning

HOME = Path(__file__).parents[3]
HEAVY = ("torch", "ray", "mlflow", "psutil", "packaging", "numpy", "netCDF4", "xarray")


def make_environment(*before: Path) -> dict[str, str]:
    paths = os.pathsep.join(map(str, (*before, HOME)))
    unset = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    return {key: value for key, value in os.environ.items() if key not in unset} | {
        "PYTHONPATH": paths
    }


def run(*words: str, before: tuple[Path, ...] = ()) -> tuple[int, str]:
    """Run the command; return its exit code and its output, which must hold no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "tuning.doctor", *words],
        cwd=HOME,
        env=make_environment(*before),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout


def write_broken_packages(folder: Path, *names: str) -> Path:
    """Write packages whose import fails."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(f'raise ImportError("No module named {name!r}")\n')
    return folder


def read_verdicts(out: str) -> dict[str, str]:
    rows = [line.split() for line in out.splitlines() if line[:4] in ("ok  ", "warn", "FAIL")]
    return {row[1]: row[0] for row in rows}


@pytest.mark.slow
def test_machine_that_runs_these_tests_can_run_the_benchmark(tmp_path: Path) -> None:
    code, out = run("--root", str(tmp_path / "new"))
    assert "FAIL" not in out
    assert code == 0
    assert list(read_verdicts(out)) == list(CHECKS)
    assert out.splitlines()[-1].startswith("All 10 checks passed")
    assert out.splitlines()[-1].endswith(
        f": python -m tuning.run --model all --root {tmp_path / 'new'}"
    )
    assert list(tmp_path.iterdir()) == []  # it created neither the folder nor a database
    assert max(map(len, out.splitlines()[:-1])) <= max(WIDTH, len(str(tmp_path)) + 40)


def test_every_package_can_be_missing(tmp_path: Path) -> None:
    code, out = run(
        "--data", str(tmp_path), before=(write_broken_packages(tmp_path / "hidden", *HEAVY),)
    )
    assert code == 1
    verdicts = read_verdicts(out)
    assert list(verdicts) == list(CHECKS)
    failed = ["packages", "memory", "GPU", "MLflow", "Ray", "data"]
    assert [name for name, verdict in verdicts.items() if verdict == "FAIL"] == failed
    assert out.count("-> python -m pip install -c constraints.txt -e .") == len(failed)
    assert out.splitlines()[-1] == f"6 of 10 checks failed: {', '.join(failed)}."


def test_json_prints_one_document(tmp_path: Path) -> None:
    code, out = run("--json", before=(write_broken_packages(tmp_path / "hidden", *HEAVY),))
    document = json.loads(out)
    assert code == 1
    assert [row["name"] for row in document["checks"]] == list(CHECKS)
    assert document["checks"][0]["verdict"] == "ok"
    assert set(document["checks"][0]) == {"name", "verdict", "found", "remedy"}
    assert "checks failed: " in document["verdict"]


def test_older_python_can_parse_the_modules_that_check_it() -> None:
    doctor = [f"tuning/doctor/{name}.py" for name in ("__main__", "check_result", "machine")]
    for name in (*doctor, "tuning/own_packages.py", "data/command/parser.py"):
        source = (HOME / name).read_text()
        ast.parse(source, feature_version=(3, 8))
        assert (
            "from __future__ import annotations" in source
        )  # 'Path | None' does not load without it


def test_bad_argument_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
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
        env=make_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "MLflow" not in process.stdout.readline():
            pass
        children: list[psutil.Process] = []
        while not any("raylet" in one.name() or "gcs_server" in one.name() for one in children):
            time.sleep(0.2)
            assert process.poll() is None
            children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip().endswith("Interrupted.")
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_result_is_formatted_in_columns() -> None:
    text = format_result("MLflow", failure("one two " * 20, "a-long-command --with " + "x" * 120))
    lines = text.splitlines()
    assert lines[0].startswith("FAIL  MLflow     one two")
    assert lines[1].startswith(" " * 17 + "two one")
    assert any(line.startswith(" " * 17 + "-> a-long-command --with") for line in lines)
    assert "x" * 120 in text  # a path or command stays whole
    assert format_result("Ray", passed("well")) == "ok    Ray        well"


def test_summary_counts_the_checks_and_ends_with_the_command_to_run() -> None:
    defaults = Namespace(root=ROOT, data=TWIN, address=None)
    two = {"a": passed("x"), "b": warning("x", "y")}
    command = "python -m tuning.run --model all"
    assert format_summary({"a": passed("x")}, defaults) == f"All 1 checks passed: {command}"
    assert format_summary(two, defaults) == f"All 2 checks passed, 1 with a warning: {command}"
    other = Namespace(root=Path("a b"), data="tiles", address="127.0.0.1:6379")
    options = "--data tiles --root 'a b' --address 127.0.0.1:6379"
    assert format_summary(two, other).endswith(f": {command} {options}")
    assert format_summary({**two, "c": failure("x", "y")}, defaults) == "1 of 3 checks failed: c."
