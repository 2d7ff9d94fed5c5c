"""Disturb campaigns in every way that they must survive, and print what each scenario found.

    python tests/faults [SCENARIO ...] [--kills 20] [--seed 1] [--root FOLDER]

Each scenario starts ``tuning.run`` as a user does, in its own processes and folder. The exit code is 1 if anything was
lost.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults import (
    bad_trials,
    data_changes,
    disks,
    interrupts,
    kills,
    lost_answers,
    outage,
    proxy,
)
from tests.faults.campaigns import Command

Result = tuple[object, list[str]]
DESCRIPTION = (
    "Disturb campaigns in every way that they must survive; exit with 1 if anything was lost."
)
KILL_ARGUMENTS = ["--model", "all", "--preset", "smoke"]
OUTAGE_S = 60.0


def list_scenarios(count: int, seed: int) -> dict[str, Callable[[Path], Result]]:
    """Return the scenarios by name; each takes an empty folder, and returns a summary and its faults."""

    def kill(root: Path) -> Result:
        return kills.run(Command(root / "calm", KILL_ARGUMENTS), root / "stormy", count, seed)

    return {
        "kills": kill,
        "tracker back after a minute": lambda root: outage.restart_tracker(root, OUTAGE_S),
        "tracker gone for good": outage.stop_tracker,
        **{
            f"answers to creates: {kind}": partial(lost_answers.run_behind_gateway, choose=choose)
            for kind in proxy.FAULTS
            for choose in [proxy.fail_creates(kind)]
        },
        "every third write: 502": partial(
            lost_answers.run_behind_gateway, choose=proxy.fail_each(proxy.BAD_GATEWAY, 3)
        ),
        "database locked": lambda root: outage.lock_database(root, OUTAGE_S),
        "bad trials": bad_trials.run_bad_networks,
        "hung worker": bad_trials.freeze_worker,
        "Ctrl-C": lambda root: interrupts.interrupt(root, 1),
        "Ctrl-C twice": lambda root: interrupts.interrupt(root, 2),
        "SIGTERM": lambda root: interrupts.interrupt(root, 1, signal.SIGTERM),
        "continued twice": interrupts.resume_twice,
        "two at once": interrupts.run_two_campaigns,
        "full disk": disks.fill_disk,
        "no memory": disks.starve_memory,
        "readers killed": data_changes.kill_readers,
        "data changed": data_changes.change_data,
        "power cut": data_changes.cut_power,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the scenarios; return 1 if one found a fault."""
    parser = argparse.ArgumentParser("python tests/faults", description=DESCRIPTION)
    parser.add_argument("scenario", nargs="*", help="names of scenarios (default: all)")
    parser.add_argument(
        "--kills",
        type=int,
        default=20,
        help="number of kills in the scenario 'kills' (default: 20)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="random seed of the kills' times and victims (default: 1)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="FOLDER",
        help="keep all output here (default: a temporary folder)",
    )
    args = parser.parse_args(argv)
    scenarios = list_scenarios(args.kills, args.seed)
    if unknown := sorted(set(args.scenario) - set(scenarios)):
        parser.error(f"unknown scenario {', '.join(unknown)}; available: {', '.join(scenarios)}")
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.scenario or scenarios:
            folder = (args.root or Path(scratch)) / name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            summary, faults = scenarios[name](folder)
            print(f"{name}: {summary} ({time.monotonic() - began:.0f} s)", flush=True)
            for fault in faults:
                print(f"  FAULT: {fault}", flush=True)
            failed += bool(faults)
    print(f"{failed} scenarios found a fault." if failed else "Nothing was lost.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
