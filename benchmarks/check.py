"""Run the quick scripts of this folder and list the ratios that miss their aim: ``make bench-check``.

    python benchmarks/check.py [NAME ...]

The scripts run in sequence, each in its own process, with the arguments below. One that runs longer than ten minutes counts
as failed. The exit code is 1 if any script failed.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from _turns import tell_load

from data.io.errors import unknown_name

QUICK: dict[str, Sequence[str]] = {
    "help_time": (),
    "score_pixels": (),
    "infer_tiles": (),
    "train_step": ("--guard",),
    "fit_under_ray": (),
    "side_by_side": ("--rounds", "1"),
    "grow": ("--without-trials",),
}
LONGEST_S = 600


def run(name: str) -> tuple[int, str, float]:
    """Run one script; return its exit code, output and seconds."""
    words = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *QUICK[name]]
    began = time.perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 - a script of this folder
            words,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        code, printed = done.returncode, done.stdout
        if "Traceback" in done.stderr:
            printed += done.stderr[done.stderr.rindex("Traceback") :]
    except subprocess.TimeoutExpired:
        code, printed = 124, f"ran longer than {LONGEST_S} s\n"
    return code, printed, time.perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Run the scripts; return 1 if one missed an aim or failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(QUICK), help="default: all")
    args = parser.parse_args(argv)
    missed = []
    for name in args.names:
        if name not in QUICK:
            parser.error(unknown_name("script", name, QUICK))
        print(f"{name} ({tell_load()})", flush=True)
        code, printed, seconds = run(name)
        print(
            "".join(f"  {line}\n" for line in printed.splitlines()) + f"  {seconds:.0f} s",
            flush=True,
        )
        if code:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "every aim kept")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
