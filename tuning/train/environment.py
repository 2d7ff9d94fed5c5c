"""What a trial ran on and with: code, packages, processor; and what it used of the machine, epoch by epoch.

Neither Ray nor MLflow is needed: a trial writes both into its folder, from where they are sent to the tracker.
"""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
import torch

PACKAGES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "optuna", "ray", "mlflow")
_MB = 1e6


def read_versions() -> dict[str, str]:
    """Read the versions of the packages that can change a number, without a build's suffix."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            continue  # a training needs neither Ray nor MLflow
    return found


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Describe the process that trains: Python, packages, operating system, processor, threads, device."""
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
    }


class ResourceUsage:
    """Measures what was used since the last look, without a thread of its own.

    The whole machine under the names that MLflow gives its own system metrics, and the trial's process
    beside it, since several trials share a machine.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._process = device, psutil.Process()
        self._began, self._used = time.perf_counter(), self._cpu_seconds()
        psutil.cpu_percent()  # the first call only sets the start of the next one's interval

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def look(self) -> dict[str, float]:
        """Return the metrics since the last look: shares in percent (of one core for the process), MB."""
        now, used = time.perf_counter(), self._cpu_seconds()
        memory, own = psutil.virtual_memory(), self._process.memory_info()
        found = {
            "cpu_utilization_percentage": float(psutil.cpu_percent()),
            "system_memory_usage_megabytes": memory.used / _MB,
            "system_memory_usage_percentage": float(memory.percent),
            "process_cpu_percentage": 100 * (used - self._used) / max(now - self._began, 1e-9),
            "process_memory_megabytes": own.rss / _MB,
        }
        self._began, self._used = now, used
        return found | self._look_at_gpu()

    def _look_at_gpu(self) -> dict[str, float]:
        if self.device.type != "cuda":
            return {}
        free, total = torch.cuda.mem_get_info(self.device)
        found = {
            "gpu_memory_usage_megabytes": (total - free) / _MB,
            "gpu_memory_usage_percentage": 100 * (total - free) / total,
        }
        try:
            found["gpu_utilization_percentage"] = float(torch.cuda.utilization(self.device))
        except ModuleNotFoundError:
            return found  # the share of time that it computes needs the package nvidia-ml-py
        return found
