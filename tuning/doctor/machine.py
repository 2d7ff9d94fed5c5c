"""Checks of the machine: Python, cores, memory, graphics processor.

Memory needs psutil and the graphics processor torch; the others must work without either.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from data.io.processes import count_cpus
from tuning.doctor.finding import GB, HOME, CheckResult, fail, ok, warn

OLDEST = (3, 11)  # pyproject's requires-python
# Peak of a trial's process on the CPU, measured on the whole twin: 1.2 GB in the preset quick, 0.5 GB of it the pack that
# all trials share; 3.9 GB in the preset paper (ConvLSTM of width 16). The rest is the driver's process, which
# makes the report (1.3 GB), and Ray's own ones.
TRIAL_GB, PAPER_GB, REST_GB = 1.5, 4.0, 2.0
AT_ONCE = 4  # search trials of an architecture in the preset quick, which run at once where there are cores


def check_python(
    version: tuple[int, ...] = tuple(sys.version_info[:3]), system: str = sys.platform
) -> CheckResult:
    """Check the version of Python and the operating system."""
    words = ".".join(map(str, version))
    found = f"Python {words} on {system} ({sys.executable})"
    if version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return fail(
            f"Python must be {oldest} or newer, but got {words} ({sys.executable})",
            f"Make the environment with a newer one: python{oldest} -m venv .venv",
        )
    if system != "linux":
        return warn(f"{found}; only Linux is tested", "Run it on Linux, or in a Linux container.")
    return ok(found)


def check_platform(folder: Path = HOME) -> CheckResult:
    """Check that ``import platform`` gives the standard library's, which torch, Ray and MLflow import."""
    import platform

    wanted = Path(sysconfig.get_path("stdlib")).resolve()
    got = Path(platform.__file__ or "").resolve()
    if got.parent != wanted:
        return fail(
            f"import platform must give the standard library's, but got {got}",
            f"Rename {got.parent if got.name == '__init__.py' else got}, or start from another folder.",
        )
    if (package := folder / "platform" / "__init__.py").exists():
        return fail(
            f"platform/ must be no Python package, but got {package}",
            f"rm {package}",
        )
    return ok(f"the standard library's ({got})")


def _read_limit(file: Path) -> float:
    """Read a number of a control group's file; infinite where it has none."""
    try:
        return float(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return math.inf  # no such file, or "max"


def _cpu_quota(folder: Path) -> float:
    try:  # version 2: "<quota or max> <period>"
        quota, period = (folder / "cpu.max").read_text().split()
        return math.inf if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError):
        quota_us = _read_limit(folder / "cpu.cfs_quota_us")
        cores = quota_us / _read_limit(folder / "cpu.cfs_period_us")
        return cores if quota_us > 0 and math.isfinite(cores) else math.inf


def list_groups(controller: str, groups: Path, top: Path) -> list[Path]:
    """List the folders of this process's control groups that limit it, the own one first.

    Args:
        controller: ``cpu`` or ``memory``.
        groups: ``/proc/self/cgroup``, with a line ``<number>:<controllers>:<path>`` for each hierarchy;
            version 2 names no controllers.
        top: Where control groups are mounted.
    """
    found = []
    for line in groups.read_text().splitlines() if groups.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = top / controller if controllers else top
        own = base / path.lstrip("/")
        found += [own, *(above for above in own.parents if above.is_relative_to(base))]
    return [folder for folder in found if folder.is_dir()]


def read_limits(
    groups: Path = Path("/proc/self/cgroup"), top: Path = Path("/sys/fs/cgroup")
) -> tuple[float, float]:
    """Return the cores and the bytes that control groups leave to this process; infinite without a limit."""
    cores = [_cpu_quota(folder) for folder in list_groups("cpu", groups, top)]
    sizes = [
        _read_limit(folder / name)
        for folder in list_groups("memory", groups, top)
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    return min(cores, default=math.inf), min(sizes, default=math.inf)


def check_cores(quota: float | None = None) -> CheckResult:
    """Check how many cores this process may use, and whether it may use them whole."""
    usable, there = count_cpus(), os.cpu_count() or 1
    quota = read_limits()[0] if quota is None else quota
    found = f"{usable} of {there} usable"
    if quota < usable:
        whole = ",".join(map(str, sorted(os.sched_getaffinity(0))[: max(1, int(quota))]))
        return warn(
            f"{found}, but the control group allows the time of {quota:.1f}; trials would wait for each other",
            f"taskset -c {whole} python -m tuning.run … starts as many trials as there are cores",
        )
    if usable == 1:
        return warn(
            f"{found}; trials run one after another, and the defaults are sized for two",
            "Give it more cores, or choose --preset smoke.",
        )
    return ok(found)


def check_memory(available: float | None = None, limit: float | None = None) -> CheckResult:
    """Check that the trials that run at once have memory.

    Args:
        available: Bytes that are free or can be freed; measured when left out.
        limit: Bytes that the control group allows, used ones included; read when left out.
    """
    import psutil

    memory = psutil.virtual_memory()
    limit = read_limits()[1] if limit is None else limit
    available = memory.available if available is None else available
    free = min(available, limit)
    fit = int((free / GB - REST_GB) // TRIAL_GB)
    found = f"{free / GB:.1f} of {memory.total / GB:.1f} GB free"
    if limit < memory.total:
        found += f", {limit / GB:.1f} GB by the control group"
    found += (
        f"; room for {max(fit, 0)} trials of {TRIAL_GB:g} GB beside {REST_GB:g} GB for the rest"
    )
    found += f" (preset quick; a trial of paper takes {PAPER_GB:g} GB on the CPU)"
    wanted = min(count_cpus(), AT_ONCE)
    if fit < 1:
        return fail(found, "End other programs, or raise the memory of the machine or container.")
    if fit < wanted:
        cpus = math.ceil(count_cpus() / fit)
        return warn(
            f"{found}, but {wanted} run at once",
            f"End other programs, or run fewer at once: --cpus-per-trial {cpus}",
        )
    return ok(found)


def check_gpu() -> CheckResult:
    """Check that torch can compute on the graphics processor, where there is one."""
    import torch

    build = f"torch {torch.__version__}, " + (
        f"CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
    )
    if torch.cuda.is_available():
        return _try_gpu(build)
    if not (there := _list_nvidia()):
        return ok(f"none; trials run on the CPU ({build})")
    if not torch.version.cuda:
        return warn(
            f"{there}, but torch cannot use it ({build}); trials run on the CPU",
            "Install a CUDA build of torch; https://pytorch.org/get-started/locally names the command.",
        )
    return warn(
        f"{there}, but torch cannot use it ({build}): {_why_no_cuda()}; trials run on the CPU",
        "Look at nvidia-smi's driver version and at CUDA_VISIBLE_DEVICES "
        f"({os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}).",
    )


def _try_gpu(build: str) -> CheckResult:
    import torch

    name, (free, total) = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
    found = f"{torch.cuda.device_count()} x {name}, {free / GB:.1f} of {total / GB:.1f} GB free ({build})"
    try:
        torch.ones(8, 8, device="cuda").matmul(torch.ones(8, 8, device="cuda")).sum().item()
    except RuntimeError as error:
        return fail(
            f"{found}, but it does not compute: {str(error).splitlines()[0]}",
            "Install a torch for this card (https://pytorch.org/get-started/locally), or hide it: "
            "CUDA_VISIBLE_DEVICES= python -m tuning.run …",
        )
    return ok(found)


def _why_no_cuda() -> str:
    import torch

    try:
        torch.zeros(1, device="cuda")
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return "it was not there a moment ago"


def _list_nvidia() -> str:
    """Name the first NVIDIA card by its driver's own tool or its device file; empty where there is none."""
    if tool := shutil.which("nvidia-smi"):
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command
                [tool, "-L"], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return "an NVIDIA driver that does not answer"
        lines = [line for line in done.stdout.splitlines() if line.startswith("GPU")]
        if lines:
            return lines[0].split(" (UUID")[0]
    return "/dev/nvidia0" if Path("/dev/nvidia0").exists() else ""
