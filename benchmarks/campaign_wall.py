"""How long a whole campaign takes, how much processor time, and for how much of it the cores are busy; of versions of this project.

``python benchmarks/campaign_wall.py --code . --code OTHER_CHECKOUT -- --model all``

Runs ``python -m tuning.run`` with the given arguments from each checkout, one after the other, with an output folder and a cache of
exported networks of its own. Cores are counted as busy by the processor time of the command and its processes, between the first
sample of a baseline and the end of the last repeat. Nothing else may run on the machine: other work makes all numbers meaningless.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import psutil

from data.io.processes import count_cpus
from tuning.serving.graph.cache import VARIABLE

SAMPLE_S = 0.5
MODULE = ("-m", "tuning.run")


class Sample(NamedTuple):
    """Processor time of a command and its processes so far, in seconds, at a time in seconds since 1970."""

    time: float
    cpu: float


class Cost(NamedTuple):
    """What a campaign took: wall time and processor time in s, and the share of the cores that were busy."""

    wall: float
    cpu: float
    busy: float


def watch(process: subprocess.Popen[bytes]) -> list[Sample]:
    """Sample the processor time of a process and its children until it ends."""
    spent: dict[tuple[int, float], float] = {}  # by process, also of those that have ended
    samples, parent = [], psutil.Process(process.pid)
    while process.poll() is None:
        try:
            for one in (parent, *parent.children(recursive=True)):
                times = one.cpu_times()
                spent[one.pid, one.create_time()] = times.user + times.system
        except psutil.NoSuchProcess:  # it has ended since it was listed
            pass
        samples.append(Sample(time.time(), sum(spent.values())))
        time.sleep(SAMPLE_S)
    return samples


def measure(code: Path, arguments: list[str], root: Path) -> Cost:
    """Run a campaign; return what it took.

    Raises:
        RuntimeError: If it fails.
    """
    began = time.time()
    command = [sys.executable, *MODULE, *arguments, "--root", str(root)]
    alone = {**os.environ, VARIABLE: str(root.with_name("graphs") / root.name)}
    with (root.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(command, cwd=code, env=alone, stdout=log, stderr=log)  # noqa: S603 - of this project
        samples = watch(process)
    wall = time.time() - began
    if process.returncode:
        raise RuntimeError(f"The campaign must end well, but see {root.with_suffix('.log')}.")
    files = list(root.glob("campaigns/*/baselines/*")) + list(root.glob("campaigns/*/trials/*/*"))
    first = min(file.stat().st_mtime for file in files)
    last = max(file.stat().st_mtime for file in files if file.name == "test.json")
    times = [sample.time for sample in samples]
    start, end = (samples[min(bisect_left(times, t), len(times) - 1)] for t in (first, last))
    busy = (end.cpu - start.cpu) / (end.time - start.time) / count_cpus()
    return Cost(wall, samples[-1].cpu, busy)


def main() -> None:
    """Print what each version takes, and the ratio of each to the last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--code", type=Path, action="append", help="checkout (default: .)")
    parser.add_argument("arguments", nargs="*", help="of tuning.run, after --")
    given = parser.parse_args()
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for number, code in enumerate(given.code or [Path()]):
            cost = measure(code.resolve(), given.arguments, Path(folder) / f"run{number}")
            costs.append(cost)
            print(
                f"{code}: {cost.wall:.0f} s, {cost.cpu:.0f} s of processor time, cores busy {cost.busy:.3f} of the time",
                flush=True,
            )
    for code, cost in zip((given.code or [])[:-1], costs[:-1], strict=False):
        print(
            f"{code} takes {cost.wall / costs[-1].wall:.3f} of the time of {given.code[-1]}, "
            f"and {cost.cpu / costs[-1].cpu:.3f} of its processor time"
        )


if __name__ == "__main__":
    main()
