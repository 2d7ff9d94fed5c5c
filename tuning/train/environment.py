"""The environment of a trial (packages, processor, device) and its resource usage per epoch.

A trial writes both into its folder, without Ray or MLflow; from there they are logged to the tracker.
"""

import hashlib
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "optuna", "ray", "mlflow")
HOME = Path(__file__).parents[2]
CODE_FOLDERS = ("data", "models", "tuning")
_MB = 1e6


@cache
def hash_code(home: Path = HOME) -> str:
    """Return a hash of the project's code and data files, twelve hex digits."""
    digest = hashlib.sha256()
    for folder in CODE_FOLDERS:
        for file in sorted((home / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(home).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def read_versions() -> dict[str, str]:
    """Return the versions of the packages that can change a result, without build suffixes."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            continue  # training needs neither Ray nor MLflow
    return versions


def describe_environment(
    device: torch.device, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return code, Python, packages, operating system, processor, threads and device of the training process.

    Args:
        device: The device.
        before: The environment in which the trial was begun, if it is continued: ``code`` then names both versions.
    """
    codes = [*str((before or {}).get("code", "")).split(), hash_code()]
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "node": platform.node(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device.type,
        "gpu": gpu,
        "packages": read_versions(),
        "code": " ".join(dict.fromkeys(codes)),
    }


class ResourceUsage:
    """Measures the resources used since the last call, without a background thread.

    Metrics of the whole machine have the names of MLflow's system metrics. Those of the trial's process are added,
    because several trials share a machine.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._process = device, psutil.Process()
        psutil.cpu_percent()  # the first call only starts the interval of the next one
        self._process.cpu_percent()

    def measure(self) -> dict[str, float]:
        """Return the metrics since the last call: percent (of one core for the process) and MB."""
        memory, own = psutil.virtual_memory(), self._process.memory_info()
        metrics = {
            "cpu_utilization_percentage": float(psutil.cpu_percent()),
            "system_memory_usage_megabytes": memory.used / _MB,
            "system_memory_usage_percentage": float(memory.percent),
            "process_cpu_percentage": float(self._process.cpu_percent()),
            "process_memory_megabytes": own.rss / _MB,
        }
        return metrics | self._measure_gpu()

    def _measure_gpu(self) -> dict[str, float]:
        if self.device.type != "cuda":
            return {}
        free, total = torch.cuda.mem_get_info(self.device)
        metrics = {
            "gpu_memory_usage_megabytes": (total - free) / _MB,
            "gpu_memory_usage_percentage": 100 * (total - free) / total,
        }
        with suppress(ModuleNotFoundError):  # needs the optional package nvidia-ml-py
            metrics["gpu_utilization_percentage"] = float(torch.cuda.utilization(self.device))
        return metrics
