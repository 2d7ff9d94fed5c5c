"""Breaks campaigns in every way that they must survive, and prints a tally.

    python tests/faults [SCENARIO ...] [--kills 20] [--seed 1] [--root FOLDER]

Each scenario starts ``tuning.run`` as a user does, in processes and folders of its own. Exit code 1 where anything was
lost.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults import bad_trials, disks, interrupts, kills, outage

Result = tuple[object, list[str]]
KILL_WORDS = ["--model", "all", "--preset", "smoke"]
AWAY_S = 60.0


def list_scenarios(count: int, seed: int) -> dict[str, Callable[[Path], Result]]:
    """Return the scenarios by name; each takes an empty folder, and returns its tally and what is wrong."""
    return {
        "kills": lambda root: kills.run(root, count, seed, KILL_WORDS),
        "tracker back after a minute": lambda root: outage.come_back(root, AWAY_S),
        "tracker gone for good": outage.stay_away,
        "database locked": lambda root: outage.lock_database(root, AWAY_S),
        "bad trials": bad_trials.misbehave,
        "hung worker": bad_trials.hang,
        "Ctrl-C": lambda root: interrupts.interrupt(root, 1),
        "Ctrl-C twice": lambda root: interrupts.interrupt(root, 2),
        "SIGTERM": lambda root: interrupts.interrupt(root, 1, signal.SIGTERM),
        "continued twice": interrupts.continue_twice,
        "two at once": interrupts.run_beside,
        "full disk": disks.run_full,
        "no memory": disks.run_out_of_memory,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the scenarios; return 1 when one found a fault."""
    parser = argparse.ArgumentParser("python tests/faults", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="names; all when left out")
    parser.add_argument("--kills", type=int, default=20, help="of the scenario 'kills'")
    parser.add_argument("--seed", type=int, default=1, help="of the kills' moments and victims")
    parser.add_argument("--root", type=Path, help="keep everything here, for a look")
    args = parser.parse_args(argv)
    every = list_scenarios(args.kills, args.seed)
    if strange := sorted(set(args.scenario) - set(every)):
        parser.error(f"unknown scenario {', '.join(strange)}; there are: {', '.join(every)}")
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.scenario or every:
            folder = (args.root or Path(scratch)) / name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            tally, wrong = every[name](folder)
            print(f"{name}: {tally} ({time.monotonic() - began:.0f} s)", flush=True)
            for fault in wrong:
                print(f"  WRONG: {fault}", flush=True)
            failed += bool(wrong)
    print(f"{failed} scenarios found a fault." if failed else "Nothing was lost.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
