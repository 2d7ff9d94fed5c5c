"""Time of ``--help`` of every command, of ``landslide --help`` and of the completion.

    python benchmarks/help_time.py [--rounds N]

The aim is for processor time (user and system), which other programs of the machine hardly change; wall time stands beside it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _turns import tell_load

from tuning.command_line.table import COMMANDS

PROJECT = Path(__file__).parent.parent
AIM_S, AIM_LIST_S = 1.0, 0.3  # of a command, and of the list of commands


def time_python(*words: str) -> tuple[float, float]:
    """Return processor and wall seconds of Python with these arguments."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(  # noqa: S603 - this Python
        [sys.executable, *words], cwd=PROJECT, stdout=subprocess.DEVNULL, check=True
    )
    wall, after = time.perf_counter() - began, os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system, wall


def main(argv: list[str] | None = None) -> int:
    """Print the medians of both times by command; return 1 if one exceeds its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    rounds = parser.parse_args(argv).rounds
    calls = {"python -c pass": (("-c", "pass"), AIM_LIST_S)}
    landslide = ("-m", "tuning.command_line")
    calls["landslide --help"] = ((*landslide, "--help"), AIM_LIST_S)
    for row in COMMANDS:
        calls[f"landslide {row.name} --help"] = ((*landslide, row.name, "--help"), AIM_S)
    calls["landslide --version"] = ((*landslide, "--version"), AIM_S)
    calls["--print-completion bash"] = ((*landslide, "--print-completion", "bash"), AIM_S)
    print(f"median of {rounds} rounds, seconds; {tell_load()}:")
    print(f"  {'command':<32}{'processor':>10}{'wall':>8}")
    missed = 0
    for name, (words, aim) in calls.items():
        pairs = [time_python(*words) for _ in range(rounds + 1)][1:]  # the first may read a disk
        spent, wall = (statistics.median(values) for values in zip(*pairs, strict=True))
        missed += spent > aim
        print(f"  {name:<32}{spent:10.2f}{wall:8.2f}{'  MISSED' if spent > aim else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
