"""Checks of Python, cores, memory, graphics processor, packages and folders: each verdict, made for real."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from tests.support.check_results import matches
from tuning.cluster import ray_session
from tuning.doctor import folders as _checks_folders
from tuning.doctor.finding import CheckResult, guard, nearest_folder, try_write
from tuning.doctor.folders import check_root, check_shared, check_temporary
from tuning.doctor.machine import (
    OLDEST,
    check_cores,
    check_gpu,
    check_memory,
    check_platform,
    check_python,
    read_limits,
)
from tuning.doctor.packages import check_packages, find_faults, read_requirements

ROOT = Path(__file__).parents[3]
GB = 10**9


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_check_that_breaks_is_a_failed_check() -> None:
    def lacking() -> CheckResult:
        raise ModuleNotFoundError("No module named 'ray'")

    def ending() -> CheckResult:
        raise SystemExit("enough")

    assert matches(
        guard(lacking), "FAIL", "No module named 'ray'", "pip install -c constraints.txt"
    )
    assert matches(guard(ending), "FAIL", "ended in SystemExit: enough", "Mend what")
    assert matches(guard(lambda: 1 / 0), "FAIL", "ZeroDivisionError: division by zero")  # type: ignore[arg-type,return-value]
    with pytest.raises(KeyboardInterrupt):
        guard(_interrupted)


def _interrupted() -> CheckResult:
    raise KeyboardInterrupt


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


def test_platform_is_the_standard_library_s(tmp_path: Path) -> None:
    assert matches(check_platform(), "ok", r"/platform\.py")
    (tmp_path / "platform").mkdir()
    assert matches(check_platform(tmp_path), "ok", "standard library")
    (tmp_path / "platform" / "__init__.py").touch()
    assert matches(check_platform(tmp_path), "FAIL", "no Python package", "^rm .*__init__.py$")


def write(folder: Path, **values: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")
    return folder


def test_control_groups_of_both_versions_limit(tmp_path: Path) -> None:
    top, none = tmp_path / "cgroup", float("inf")
    groups = tmp_path / "self"
    assert read_limits(groups, top) == (none, none)  # no Linux
    groups.write_text("0::/a/b\n")
    write(top, cpu__max="max 100000", memory__max="max")
    write(top / "a", cpu__max="150000 100000", memory__max="8000000000")
    write(top / "a" / "b", cpu__max="max 100000", memory__max="9000000000")
    assert read_limits(groups, top) == (1.5, 8 * GB)  # the tightest of those above
    groups.write_text("3:cpu,cpuacct:/not/seen/in/a/container\n2:memory:/\n")
    write(top / "cpu", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    write(top / "memory", memory__limit_in_bytes="4000000000")
    assert read_limits(groups, top) == (0.5, 4 * GB)
    write(top / "cpu", cpu__cfs_quota_us="-1")
    assert read_limits(groups, top)[0] == none


def test_quota_below_the_cores_is_named() -> None:
    assert matches(
        check_cores(0.5), "warn", r"time of 0\.5", r"taskset -c \d+ python -m tuning\.run"
    )


def test_cores_are_those_that_the_process_may_use() -> None:
    one = min(os.sched_getaffinity(0))
    ask = f"import os; os.sched_setaffinity(0, {{{one}}})\n"
    ask += "from tuning.doctor.machine import *; print(check_cores(9.0))"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"'warn', found='1 of {os.cpu_count()} usable" in done.stdout.replace("verdict=", "")


def test_memory_must_hold_the_trials_that_run_at_once() -> None:
    assert matches(check_memory(1000 * GB, 1e15), "ok", r"1000\.0 of .*room for \d+ trials")
    assert matches(check_memory(3 * GB, 1e15), "FAIL", "room for 0 trials", "raise the memory")
    if len(os.sched_getaffinity(0)) > 1:
        few = check_memory(4 * GB, 1e15)
        assert matches(few, "warn", r"room for 1 trials.* run at once", r"--cpus-per-trial \d+")


def test_memory_is_what_the_control_group_leaves() -> None:
    limited = check_memory(1000 * GB, 3 * GB)
    assert matches(limited, "FAIL", r"3\.0 of .* 3\.0 GB by the control group; room for 0")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch computes on a GPU here")
def test_card_that_torch_cannot_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if not Path("/dev/nvidia0").exists():
        assert matches(check_gpu(), "ok", "none; trials run on the CPU .torch 2")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\n")
    tool.chmod(0o755)
    remedy = "CUDA_VISIBLE_DEVICES" if torch.version.cuda else "Install a CUDA build"
    assert matches(check_gpu(), "warn", "GPU 0: NVIDIA H100, but torch cannot use it", remedy)
    tool.write_text("#!/bin/sh\nexit 9\n")
    if not Path("/dev/nvidia0").exists():
        assert matches(check_gpu(), "ok", "none")


def declare(folder: Path, *needs: str) -> Path:
    lines = ", ".join(f'"{one}"' for one in needs)
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = [{lines}]\n")
    return folder


def test_packages_are_those_of_the_project_in_range(tmp_path: Path) -> None:
    names = {one.name for one in read_requirements()}
    assert {"torch", "ray", "mlflow", "psutil", "packaging"} <= names
    assert "pytest" not in names
    assert find_faults(read_requirements()) == []
    assert matches(check_packages(declare(tmp_path, "numpy>=1")), "ok", "all 1 in .*no constraints")


@pytest.mark.parametrize(
    ("need", "found"),
    [
        ("numpy<1", r"numpy is \d\S+, but <1 is needed"),
        ("no-such-package>=3", r"no-such-package is missing \(>=3 is needed\)"),
        ("no-such-package", r"no-such-package is missing \(any version"),
        ("no-such-package[extra]", r"no-such-package is missing"),
        ("torch[opt-einsum]", "opt-einsum is missing"),
    ],
)
def test_package_out_of_range_is_named(tmp_path: Path, need: str, found: str) -> None:
    finding = check_packages(declare(tmp_path, "pandas>=2", need))
    assert matches(finding, "FAIL", found, "pip install -c constraints.txt -e .")


def test_package_of_another_system_is_not_missing(tmp_path: Path) -> None:
    folder = declare(tmp_path, "numpy", "no-such-package; sys_platform == 'win32'")
    assert matches(check_packages(folder), "ok", "all 1 in")


def test_untested_versions_are_named(tmp_path: Path) -> None:
    declare(tmp_path, "numpy", "pandas")
    pins = [f"numpy=={version('numpy')}  # a comment", "", "# more", "no_such_tool==1"]
    (tmp_path / "constraints.txt").write_text("\n".join(pins))
    assert matches(check_packages(tmp_path), "ok", "each the tested version")
    (tmp_path / "constraints.txt").write_text("pandas==0.1\nnumpy==0.1\n")
    drift = rf"pandas {re.escape(version('pandas'))} \(==0\.1\), numpy .*"
    assert matches(
        check_packages(tmp_path), "warn", f"not the tested version: {drift}", "pip install"
    )


def test_output_folder_must_be_one_that_can_be_written(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    assert matches(check_root(place), "ok", "a/b, will be made: .* GB free, about 3.0 GB needed")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert matches(check_root(tmp_path / "file"), "FAIL", "must be a folder", "--root FOLDER")
    assert matches(check_root(tmp_path / "file" / "x"), "FAIL", "file is a file", "--root FOLDER")
    for place in (Path("/proc"), Path("/proc/mlruns"), Path("/sys/mlruns")):
        assert matches(check_root(place), "FAIL", f"nothing can be written to /{place.parts[1]}: ")


def test_room_that_is_needed_shrinks_with_what_is_there(tmp_path: Path, twin: Path) -> None:
    assert "about 2.5 GB" in check_root(tmp_path, str(twin)).found
    (tmp_path / "data" / "twin-harmonized-1").mkdir(parents=True)
    assert "about 2.5 GB" in check_root(tmp_path).found
    (tmp_path / "packs" / "pack-1").mkdir(parents=True)
    assert "about 1.8 GB" in check_root(tmp_path).found


def test_full_disk_is_named(tiny_disk: Path) -> None:
    assert matches(check_root(tiny_disk), "FAIL", r"0\.0 GB free, about 3\.0", "Make room")
    assert matches(check_shared(tiny_disk), "warn", "1 MB free, Ray's .*slower", "--shm-size=1g")
    assert matches(check_temporary(tiny_disk), "ok", "0% full")
    (tiny_disk / "large").write_bytes(b"\0" * 1_000_000)
    assert matches(check_temporary(tiny_disk), "warn", r"9\d% full; Ray calls", "RAY_TMPDIR=FOLDER")
    (tiny_disk / "larger").touch()
    with pytest.raises(OSError, match="No space"):
        (tiny_disk / "larger").write_bytes(b"\0" * 1_000_000)
    assert try_write(tiny_disk) == "No space left on device"
    assert matches(check_temporary(tiny_disk), "FAIL", "No space left", "TMPDIR=FOLDER")


def test_temporary_folder_is_the_one_that_ray_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert matches(check_temporary(), "ok", f"{tmp_path}: ")
    monkeypatch.delenv("RAY_TMPDIR")
    assert matches(check_temporary(), "FAIL", "gone is no folder", "mkdir -p ")
    assert matches(check_temporary(Path("/proc")), "FAIL", "nothing can be written to /proc")


def test_shared_memory_holds_ray_s_objects(tmp_path: Path) -> None:
    assert _checks_folders.STORE_MB * 1e6 >= ray_session.OBJECT_STORE_BYTES
    assert matches(check_shared(), "ok", "/dev/shm: [0-9]+ MB free")
    assert matches(check_shared(tmp_path / "none"), "warn", "none is not there; Ray puts")


def test_nearest_folder_exists(tmp_path: Path) -> None:
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path
    assert nearest_folder(tmp_path) == tmp_path
