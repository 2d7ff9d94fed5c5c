"""Checks of Python, packages, cores, memory and the GPU, each verdict on a real cause."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from tests.support.check_results import matches
from tuning.doctor.check_result import CheckResult, guard
from tuning.doctor.machine import (
    OLDEST,
    check_cores,
    check_gpu,
    check_memory,
    check_packages,
    check_python,
    read_limits,
    read_requirements,
)

ROOT = Path(__file__).parents[3]
GB = 10**9


def test_check_that_raises_is_a_failed_check() -> None:
    def raise_error(error: BaseException) -> CheckResult:
        raise error

    missing = guard(lambda: raise_error(ModuleNotFoundError("No module named 'ray'")))
    assert matches(missing, "FAIL", "No module named 'ray'", "pip install -c constraints.txt")
    ended = guard(lambda: raise_error(SystemExit("enough")))
    assert matches(ended, "FAIL", "the check raised SystemExit: enough", "Correct what")
    with pytest.raises(KeyboardInterrupt):
        guard(lambda: raise_error(KeyboardInterrupt()))


def test_python_must_be_as_new_as_the_project_says() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert wanted == f">={OLDEST[0]}.{OLDEST[1]}"
    assert matches(check_python(), "ok", re.escape(sys.executable))
    old = check_python((3, 10, 12))
    assert matches(old, "FAIL", r"3\.11 or newer, but got 3\.10\.12", r"python3\.11 -m venv")


def test_another_system_is_untested() -> None:
    assert matches(
        check_python(system="darwin"), "warn", "on darwin .*only Linux is tested", "Linux"
    )


def write(folder: Path, **values: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")
    return folder


def test_limits_are_the_smallest_of_all_parent_control_groups(tmp_path: Path) -> None:
    top, none = tmp_path / "cgroup", float("inf")
    groups = tmp_path / "self"
    assert read_limits(groups, top) == (none, none)  # without control groups
    groups.write_text("0::/a/b\n")
    write(top, cpu__max="max 100000", memory__max="max")
    write(top / "a", cpu__max="150000 100000", memory__max="8000000000")
    write(top / "a" / "b", cpu__max="max 100000", memory__max="9000000000")
    assert read_limits(groups, top) == (1.5, 8 * GB)


def test_quota_below_the_cores_is_a_warning() -> None:
    assert matches(
        check_cores(0.5), "warn", r"group allows 0\.5", r"taskset -c \d+ python -m tuning\.run"
    )


def test_cores_are_those_that_the_process_may_use() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}})\n"
    code += "from tuning.doctor.machine import *; print(check_cores(9.0))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"'warn', found='1 of {os.cpu_count()} usable" in done.stdout.replace("verdict=", "")


def test_memory_must_hold_the_parallel_trials() -> None:
    assert matches(check_memory(1000 * GB, 1e15), "ok", r"1000\.0 of .*enough for \d+ parallel")
    assert matches(check_memory(3 * GB, 1e15), "FAIL", "enough for 0 parallel", "more memory")
    if len(os.sched_getaffinity(0)) > 1:
        few = check_memory(4 * GB, 1e15)
        assert matches(
            few, "warn", r"enough for 1 parallel .* run in parallel", r"--cpus-per-trial \d+"
        )


def test_control_group_limits_memory() -> None:
    limited = check_memory(1000 * GB, 3 * GB)
    assert matches(
        limited, "FAIL", r"3\.0 of .* 3\.0 GB allowed by the control group; enough for 0"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch computes on a GPU here")
def test_card_that_torch_cannot_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert matches(check_gpu(), "ok", "none; trials run on the CPU .torch 2")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\n")
    tool.chmod(0o755)
    found = "GPU 0: NVIDIA H100, but torch cannot use it .*; trials use the CPU"
    assert matches(check_gpu(), "warn", found, "Install a torch build .*CUDA_VISIBLE_DEVICES")
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert matches(check_gpu(), "ok", "none")


def declare(folder: Path, *needs: str) -> Path:
    lines = ", ".join(f'"{one}"' for one in needs)
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = [{lines}]\n")
    return folder


def test_packages_must_be_those_of_the_project(tmp_path: Path) -> None:
    names = {one.name for one in read_requirements()}
    assert {"torch", "ray", "mlflow", "psutil", "packaging"} <= names
    assert "pytest" not in names
    assert matches(check_packages(), "ok", f"all {len(names)} in an allowed version")
    assert matches(check_packages(declare(tmp_path, "numpy>=1")), "ok", "all 1 in")


@pytest.mark.parametrize(
    ("need", "found"),
    [
        ("numpy<1", r"numpy is \d\S+, but <1 is needed"),
        ("no-such-package>=3", r"no-such-package is missing \(>=3 is needed\)"),
        ("no-such-package", r"no-such-package is missing \(any version"),
        ("no-such-package[extra]", r"no-such-package is missing"),
    ],
)
def test_package_out_of_range_is_named(tmp_path: Path, need: str, found: str) -> None:
    result = check_packages(declare(tmp_path, "pandas>=2", need))
    assert matches(result, "FAIL", found, "pip install -c constraints.txt -e .")


def test_package_of_another_system_is_not_missing(tmp_path: Path) -> None:
    folder = declare(tmp_path, "numpy", "no-such-package; sys_platform == 'win32'")
    assert matches(check_packages(folder), "ok", "all 1 in")
