"""Checks of Python, packages, cores, memory and the GPU.

Packages are imported inside the functions: one that is missing fails only the checks that need it.
"""

from __future__ import annotations  # the annotations must load in Pythons older than 3.10

import math
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.doctor.check_result import GB, HOME, INSTALL, CheckResult, failure, passed, warning

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PROJECT = "landslide-benchmark"
OLDEST = (3, 11)  # requires-python in pyproject.toml
# Peak memory of a trial's process on the CPU, measured on the whole twin: 1.2 GB in the preset quick, 0.5 GB of it the
# pack that all trials share; 3.9 GB in the preset paper (ConvLSTM of width 16). The rest is the driver's process, which
# makes the report (1.3 GB), and Ray's own processes.
TRIAL_GB, PAPER_GB, REST_GB = 1.5, 4.0, 2.0
PARALLEL_TRIALS = 4  # of the preset quick's search, if there are as many cores


def check_python(
    version: tuple[int, ...] = tuple(sys.version_info[:3]), system: str = sys.platform
) -> CheckResult:
    """Check the version of Python and the operating system."""
    text, oldest = ".".join(map(str, version)), ".".join(map(str, OLDEST))
    if version[:2] < OLDEST:
        found = f"Python must be {oldest} or newer, but got {text} ({sys.executable})"
        return failure(found, f"Create a new environment: python{oldest} -m venv .venv")
    found = f"Python {text} on {system} ({sys.executable})"
    if system != "linux":
        return warning(f"{found}; only Linux is tested", "Use Linux, or a Linux container.")
    return passed(found)


def read_requirements(folder: Path = HOME) -> list[Requirement]:
    """Read the project's requirements for this system.

    Args:
        folder: The checkout. Its ``pyproject.toml`` is preferred to the metadata of the installed distribution,
            which an editable installation does not update.
    """
    import tomllib

    from packaging.requirements import Requirement

    if (file := folder / "pyproject.toml").is_file():
        lines = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        lines = metadata.requires(PROJECT) or []
    requirements = [Requirement(line) for line in lines]
    return [one for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]


def check_packages(folder: Path = HOME) -> CheckResult:
    """Check that every required package is installed in a version that ``pyproject.toml`` allows."""
    requirements, faults = read_requirements(folder), []
    for requirement in requirements:
        name, allowed = requirement.name, requirement.specifier
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            faults.append(f"{name} is missing ({allowed or 'any version'} is needed)")
            continue
        if not allowed.contains(version, prereleases=True):
            faults.append(f"{name} is {version}, but {allowed} is needed")
    if faults:
        return failure(", ".join(faults), INSTALL)
    return passed(f"all {len(requirements)} in an allowed version")


def read_limits(
    groups: Path = Path("/proc/self/cgroup"), top: Path = Path("/sys/fs/cgroup")
) -> tuple[float, float]:
    """Return the cores and bytes that control groups (version 2) allow this process; infinite without a limit."""
    lines = groups.read_text().splitlines() if groups.is_file() else []
    own = [top / line[3:].lstrip("/") for line in lines if line.startswith("0::")]
    folders = [path for one in own for path in (one, *one.parents) if path.is_relative_to(top)]

    def read(name: str) -> list[list[str]]:
        return [(path / name).read_text().split() for path in folders if (path / name).is_file()]

    cores = [float(quota) / float(period) for quota, period in read("cpu.max") if quota != "max"]
    sizes = [float(size) for (size,) in read("memory.max") if size != "max"]
    return min(cores, default=math.inf), min(sizes, default=math.inf)


def check_cores(quota: float | None = None) -> CheckResult:
    """Check how many cores this process may use; *quota* replaces the control group's limit in tests."""
    from data.io.processes import count_cpus

    usable = count_cpus()
    quota = read_limits()[0] if quota is None else quota
    found = f"{usable} of {os.cpu_count()} usable"
    if quota < usable:
        found += f", but the control group allows {quota:.1f}; parallel trials slow each other down"
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[: max(1, int(quota))]))
        return warning(found, f"taskset -c {cores} python -m tuning.run … uses only these cores")
    if usable == 1:
        return warning(f"{found}; trials run one after another", "Provide more cores.")
    return passed(found)


def check_memory(available: float | None = None, limit: float | None = None) -> CheckResult:
    """Check that the trials that run in parallel fit in memory.

    Args:
        available: Bytes that are free or can be freed; measured if None.
        limit: Bytes that the control group allows, including those in use; read if None.
    """
    import psutil

    from data.io.processes import count_cpus

    memory, cpus = psutil.virtual_memory(), count_cpus()
    limit = read_limits()[1] if limit is None else limit
    free = min(memory.available if available is None else available, limit)
    count = max(0, int((free / GB - REST_GB) // TRIAL_GB))
    group = f", {limit / GB:.1f} GB allowed by the control group" if limit < memory.total else ""
    found = (
        f"{free / GB:.1f} of {memory.total / GB:.1f} GB free{group}; enough for {count} parallel trials of "
        f"{TRIAL_GB:g} GB (preset quick; {PAPER_GB:g} GB in paper on the CPU) and {REST_GB:g} GB for the rest"
    )
    if count < 1:
        return failure(found, "Stop other programs, or give the machine or container more memory.")
    if count < min(cpus, PARALLEL_TRIALS):
        remedy = f"Stop other programs, or use --cpus-per-trial {math.ceil(cpus / count)}"
        return warning(f"{found}, but {min(cpus, PARALLEL_TRIALS)} run in parallel", remedy)
    return passed(found)


def check_gpu() -> CheckResult:
    """Check that torch can compute on the GPU, if there is one."""
    import torch

    build = f"torch {torch.__version__}, CUDA {torch.version.cuda or 'not in this build'}"
    visible = torch.cuda.is_available()
    card = torch.cuda.get_device_name() if visible else _find_nvidia()
    if not card:
        return passed(f"none; trials run on the CPU ({build})")
    try:
        torch.ones(8, 8, device="cuda").matmul(torch.ones(8, 8, device="cuda")).sum().item()
        free, total = torch.cuda.mem_get_info()
    except (RuntimeError, AssertionError) as error:  # torch asserts that its build has CUDA
        found = f"{card}, but torch cannot use it ({build}): {str(error).splitlines()[0]}"
        remedy = (
            "Install a torch build for this card and driver (https://pytorch.org/get-started/locally), or check "
            f"CUDA_VISIBLE_DEVICES (now {os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}); empty, it hides the card."
        )
        return (
            failure(found, remedy) if visible else warning(f"{found}; trials use the CPU", remedy)
        )
    count = torch.cuda.device_count()
    return passed(f"{count} x {card}, {free / GB:.1f} of {total / GB:.1f} GB free ({build})")


def _find_nvidia() -> str:
    """Return the first GPU that ``nvidia-smi`` lists; empty if there is none."""
    if not (tool := shutil.which("nvidia-smi")):
        return ""
    done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    cards = [line for line in done.stdout.splitlines() if line.startswith("GPU")]
    return cards[0].split(" (UUID")[0] if cards else ""
