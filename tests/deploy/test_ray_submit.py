"""platform/ray/submit.py on a head: copied to the home folder, outside the project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUBMIT = ROOT / "platform" / "ray" / "submit.py"
TELL = """
import json, os, sys
names = ("MLFLOW_TRACKING_PASSWORD", "OMP_NUM_THREADS", "RAY_AUTH_MODE")
found = {name: os.environ.get(name) for name in names}
print(json.dumps([os.getcwd(), sys.argv[1:], found]))
sys.exit(7 if "--fail" in sys.argv else 0)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A head's home folder with a project whose command prints its arguments."""
    project = tmp_path / "landslide-benchmark"
    for name in ("data", "models", "tuning", "platform/ray"):
        (project / name).mkdir(parents=True)
    (project / "tuning" / "__init__.py").write_text("")  # or `-m` would go on to the real one
    (project / "tuning" / "run.py").write_text(TELL)
    (project / "constraints.txt").write_text("torch==2.13.0\n")
    (project / "pyproject.toml").write_text("[project]\n")
    shutil.copy(SUBMIT, project / "platform" / "ray")
    shutil.copy(SUBMIT, tmp_path)
    return tmp_path


def submit(
    home: Path, *words: str, script: str = "submit.py", **variables: str
) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # No test may join a Ray that happens to run here.
    safe = {"HOME": str(home), "OMP_NUM_THREADS": "1", "RAY_ADDRESS": "127.0.0.1:1"}
    environment = kept | safe | variables
    ask = [sys.executable, str(home / script), *words]
    return subprocess.run(
        ask, cwd=home, env=environment, capture_output=True, text=True, check=False
    )


def fingerprint(home: Path) -> str:
    done = submit(home, "--fingerprint", script="landslide-benchmark/platform/ray/submit.py")
    return done.stdout.strip()


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.partition("error: ")[2]


def test_arguments_reach_the_command_in_the_project(home: Path) -> None:
    done = submit(home, "--model", "all", "--preset", "smoke")
    assert done.returncode == 0, done.stderr
    place = str(home / "landslide-benchmark")
    told = f'["{place}", ["--address", "auto", "--model", "all", "--preset", "smoke"]'
    assert done.stdout.startswith(told)
    assert '"OMP_NUM_THREADS": null, "RAY_AUTH_MODE": "token"' in done.stdout
    assert "python -m tuning.run --address auto --model all --preset smoke" in done.stderr


def test_exit_code_is_the_command_s(home: Path) -> None:
    assert submit(home, "--fail").returncode == 7


@pytest.mark.parametrize("words", [["--resume"], ["--resume", "first"], ["--resume=first"]])
def test_resume_keeps_its_own_address(home: Path, words: list[str]) -> None:
    assert "--address" not in submit(home, *words).stdout


def test_code_is_named_and_what_was_not_compared_is_warned_of(home: Path) -> None:
    done = submit(home)
    assert f"submit: Code {fingerprint(home)}, last edited 2" in done.stderr
    assert "warning: not compared with yours" in done.stderr
    compared = submit(home, "--code", fingerprint(home))
    assert compared.returncode == 0, compared.stderr
    assert "warning" not in compared.stderr


@pytest.mark.parametrize("change", ["edit", "add", "delete", "rename", "pin"])
def test_other_code_than_expected_is_refused(home: Path, change: str) -> None:
    project = home / "landslide-benchmark"
    (project / "models" / "unet.py").write_text("depth = 3\n")
    expected = fingerprint(home)
    if change == "edit":
        (project / "models" / "unet.py").write_text("depth = 4\n")
    elif change == "add":
        (project / "models" / "more.py").write_text("")
    elif change == "delete":
        (project / "models" / "unet.py").unlink()
    elif change == "rename":
        (project / "models" / "unet.py").rename(project / "models" / "other.py")
    else:
        (project / "constraints.txt").write_text("torch==2.14.0\n")
    why = refusal(submit(home, "--code", expected, "--model", "all"))
    assert f"The code must be {expected}, but {project} here is " in why
    assert "stale" in why
    assert "ray up CLUSTER.yaml" in why


def test_what_python_compiles_is_not_code(home: Path) -> None:
    before = fingerprint(home)
    (home / "landslide-benchmark" / "tuning" / "__pycache__").mkdir()
    (home / "landslide-benchmark" / "tuning" / "__pycache__" / "run.cpython-311.pyc").write_text(
        "x"
    )
    assert fingerprint(home) == before


def test_older_submit_beside_the_code_is_noticed_without_a_fingerprint(home: Path) -> None:
    with (home / "submit.py").open("a") as file:
        file.write("# newer\n")
    assert "is not the submit.py that you sent: it is stale" in refusal(submit(home))


def test_environment_of_other_versions_is_refused(home: Path) -> None:
    (home / "landslide-installed.txt").write_text("torch==2.12.0\n")
    assert "Install them with `ray up CLUSTER.yaml`" in refusal(submit(home))
    shutil.copy(home / "landslide-benchmark" / "constraints.txt", home / "landslide-installed.txt")
    assert submit(home).returncode == 0


def test_project_that_is_not_there_is_named(home: Path) -> None:
    shutil.rmtree(home / "landslide-benchmark")
    why = refusal(submit(home))
    assert f"must lie in {home / 'landslide-benchmark'}" in why
    assert "ray up CLUSTER.yaml" in why
    assert "LANDSLIDE_PROJECT" in why


def test_project_may_lie_elsewhere(home: Path) -> None:
    (home / "landslide-benchmark").rename(home / "elsewhere")
    done = submit(home, LANDSLIDE_PROJECT=str(home / "elsewhere"))
    assert done.stdout.startswith(f'["{home / "elsewhere"}"')
    assert f"must lie in {home / 'none'}" in refusal(submit(home, LANDSLIDE_PROJECT="~/none"))


def test_python_without_ray_hands_over_to_the_installed_environment(home: Path) -> None:
    bare = "import sys; sys.path[:] = [one for one in sys.path if 'site-packages' not in one]"
    (home / "submit.py").write_text(
        f"{bare}\n{SUBMIT.read_text()}".replace('"""Run ', 'r"""Run ', 1)
    )
    shutil.copy(home / "submit.py", home / "landslide-benchmark" / "platform" / "ray")
    assert f"there is no {home}/landslide-venv/bin/python" in refusal(submit(home))
    (home / "landslide-venv" / "bin").mkdir(parents=True)
    stand_in = home / "landslide-venv" / "bin" / "python"
    stand_in.write_text('#!/bin/sh\necho "handed over: $*"\n')
    stand_in.chmod(0o755)
    assert submit(home, "--model", "all").stdout == f"handed over: {home}/submit.py --model all\n"


def test_tracker_variables_come_from_a_file_of_one_s_own(home: Path) -> None:
    file = home / "landslide.env"
    file.write_text("# the tracker\n\nMLFLOW_TRACKING_PASSWORD=with = and 'quotes'\n")
    file.chmod(0o600)
    done = submit(home)
    assert "with = and 'quotes'" in done.stdout
    assert "quotes" not in done.stderr
    stays = submit(home, MLFLOW_TRACKING_PASSWORD="mine")
    assert '"MLFLOW_TRACKING_PASSWORD": "mine"' in stays.stdout


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_tracker_variables_that_others_may_read_are_refused(home: Path, mode: int) -> None:
    (home / "landslide.env").write_text("MLFLOW_TRACKING_PASSWORD=hidden\n")
    (home / "landslide.env").chmod(mode)
    why = refusal(submit(home))
    assert f"must have mode 600, but has {mode:o}: chmod 600 {home / 'landslide.env'}" in why
    assert "hidden" not in why


@pytest.mark.parametrize("line", ["PATH=/elsewhere", "MLFLOW_TRACKING_PASSWORD hidden", "=hidden"])
def test_other_lines_than_the_tracker_s_are_refused(home: Path, line: str) -> None:
    (home / "landslide.env").write_text(f"# first\n{line}\n")
    (home / "landslide.env").chmod(0o600)
    why = refusal(submit(home))
    assert f"Line 2 of {home / 'landslide.env'} must read MLFLOW_NAME=VALUE" in why
    assert "hidden" not in why


def test_job_s_results_are_not_written_where_ray_deletes_them(home: Path) -> None:
    package = home / "_ray_pkg_0123456789abcdef"
    (home / "landslide-benchmark").rename(package)
    script = f"{package.name}/platform/ray/submit.py"
    for words in (["--model", "all"], ["--root", "mlruns"], ["--root=mlruns"]):
        why = refusal(submit(home, *words, script=script))
        assert "A job needs --root with an absolute path, but got" in why
    done = submit(home, "--root", "/shared/mlruns", script=script)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr  # its code came with the job
    assert submit(home, "--help", script=script).returncode == 0
