"""Time of the command's ``--help`` beyond Python's own start.

    python benchmarks/start_up.py [--rounds N]

``python -m tuning.run --help`` and ``python -c pass`` alternate; the difference of each pair is the command's part.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _turns import tell_load

AIM_S = 1.0
PROJECT = Path(__file__).parent.parent


def time_python(*words: str) -> float:
    """Return the seconds of Python with these arguments."""
    began = time.perf_counter()
    subprocess.run(  # noqa: S603 - this Python
        [sys.executable, *words], cwd=PROJECT, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Print both times and their difference; return 1 if it exceeds its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    args = parser.parse_args(argv)
    helped, bare = [], []
    for number in range(args.rounds + 1):
        pair = time_python("-m", "tuning.run", "--help"), time_python("-c", "pass")
        if number:  # the first may read from a disk
            helped.append(pair[0])
            bare.append(pair[1])
    print(f"median of {args.rounds} rounds, seconds; {tell_load()}:")
    for name, values in (("--help", helped), ("pass", bare)):
        print(
            f"  {name:<7}{statistics.median(values):6.3f}   ({min(values):.3f} to {max(values):.3f})"
        )
    more = statistics.median(a - b for a, b in zip(helped, bare, strict=True))
    kept = more <= AIM_S
    print(f"--help - pass: {more:.3f} s (aim: at most {AIM_S:g}){'' if kept else '  MISSED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
