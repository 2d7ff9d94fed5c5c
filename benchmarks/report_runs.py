"""How long a report takes, and how much memory, on a tracker of a thousand and of ten thousand runs.

    python benchmarks/report_runs.py [--pack FOLDER] [--to FOLDER] [--runs N N] [--rounds N] [--repeats]

The tracker is MLflow's sqlite database with one campaign of the platform's own making: every network and baseline repeated
over three seeds on split ``blocks``, and search trials of 40 metrics. It grows in two ways: by search trials of this campaign, and by
further campaigns beside it. With ``--repeats``, campaigns of 9 and of 90 repeat runs of networks tell instead what one
more repeat run costs. The command that is measured is ``python -m tuning.report``, in a process of its own, models
registered, figures and page drawn.
"""

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _campaign import Logged, log_campaign
from _copies import Template, check_copy, count_runs, open_database, read_template, write_copy

from data.inputs import SAR_CHANNELS
from data.pack import Pack, load_pack, make_pack
from data.twin import make_twin
from tuning.baselines import list_baselines
from tuning.space import LogUniform, make_space
from tuning.store import URI_VARIABLE, connect

CAMPAIGN = "reported-7f3a"
RUNS = (1_000, 10_000)
TRIALS = 40  # search trials per network of the campaigns beside it, as in the preset paper
SEEDS = 3
AIM_S, AIM_MB, AIM_RATIO = 60.0, 2000.0, 12.0
ENDS = {"scheduler": "KILLED", "last epoch": "FINISHED", "patience": "FINISHED"}


@dataclass(frozen=True)
class Cost:
    """What a report took: wall time and processor time in seconds, peak memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


class Tracker:
    """The database, how it was when the platform had logged its campaign, and what is copied from that.

    Attributes:
        root: Output folder.
        logged: The campaign's runs.
    """

    def __init__(self, root: Path, logged: Logged) -> None:
        self.root, self.logged = root, logged
        self._rng = random.Random(0)
        with open_database(root) as database, sqlite3.connect(root / "first.db") as first:
            database.backup(first)
            self._skeleton = read_template(database, logged.skeleton, [logged.name])
            self._trials = {m: self._read(database, one) for m, one in logged.searches.items()}

    def _read(self, database: sqlite3.Connection, run_id: str) -> Template:
        ask = "SELECT value FROM tags WHERE run_uuid = ? AND key = ?"
        keys = ("key", "mlflow.runName", "mlflow.parentRunId")
        also = [database.execute(ask, (run_id, key)).fetchone()[0] for key in keys]
        return read_template(database, [run_id], [*also, self.logged.name])

    def reset(self) -> None:
        """Take all copies away."""
        with open_database(self.root) as database, sqlite3.connect(self.root / "first.db") as first:
            first.backup(database)

    def search_on(self, runs: int) -> None:
        """Add search trials to the campaign until there are *runs*."""
        with open_database(self.root) as database:
            models = list(self._trials)
            for number in range(runs - count_runs(database)):
                self._copy_trial(database, models[number % len(models)], {})

    def add_campaigns(self, runs: int) -> None:
        """Add search trials to the campaign, then further campaigns, until there are *runs*."""
        self.search_on(len(self._skeleton.rows["runs"]) + TRIALS * len(self._trials))
        with open_database(self.root) as database:
            while (lacking := runs - count_runs(database)) > 0:
                name = f"beside-{self._rng.getrandbits(64):016x}"
                renamed = write_copy(database, self._skeleton, {self.logged.name: name}, {})
                for number in range(min(lacking, TRIALS * len(self._trials))):
                    self._copy_trial(database, list(self._trials)[number % 3], renamed)

    def _copy_trial(
        self, database: sqlite3.Connection, model: str, renamed: Mapping[str, str]
    ) -> None:
        """Add a search trial of a network with another sample of its space."""
        template, key = self._trials[model], f"{self._rng.getrandbits(64):016x}"
        old_key, old_name, study, campaign = template.names[-4:]
        names = {name: renamed.get(name, name) for name in (study, campaign)}
        names |= {old_key: key, old_name: f"{model} · search · {key[:6]}"}
        ended_by = self._rng.choice(list(ENDS))
        params = {name: self._draw(domain) for name, domain in make_space(model).items()}
        changes = {"tags": {"ended_by": ended_by}, "params": params}
        changes |= {"runs": {"status": ENDS[ended_by]}}
        write_copy(database, template, names, changes, self._rng.uniform(0.5, 1.0))

    def _draw(self, domain: LogUniform | list[Any]) -> Any:
        if isinstance(domain, LogUniform):
            return domain.low * (domain.high / domain.low) ** self._rng.random()
        return self._rng.choice(domain)

    def check(self) -> None:
        """Refuse copies that a client can tell from what the platform logged."""
        client, _ = connect(self.root)
        ask = "SELECT run_uuid FROM runs WHERE name LIKE ? ORDER BY rowid DESC LIMIT 1"
        with open_database(self.root) as database:
            for model, run_id in self.logged.searches.items():
                (copy,) = database.execute(ask, (f"{model} · search%",)).fetchone()
                check_copy(client, run_id, copy)


def report(root: Path, campaign: str) -> Cost:
    """Run the command to its end; raise RuntimeError where it fails."""
    command = [sys.executable, "-m", "tuning.report", "--root", str(root), "--campaign", campaign]
    began = time.perf_counter()
    with (root / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"A report must succeed, but got:\n{(root / 'log.txt').read_text()}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def measure(root: Path, campaign: str, rounds: int, what: str) -> Cost:
    """Report some times, print and return the quickest."""
    best = min((report(root, campaign) for _ in range(rounds)), key=lambda cost: cost.wall_s)
    page = (root / "reports" / campaign / "report.html").stat().st_size / 1e6
    print(
        f"  {what:<34}{best.wall_s:>7.1f} s {best.cpu_s:>7.1f} s {best.peak_mb:>7.0f} MB"
        f" {page:>6.1f} MB",
        flush=True,
    )
    return best


def measure_growth(tracker: Tracker, runs: list[int], rounds: int) -> bool:
    """Measure both ways of growing; return whether each is within the aims."""
    kept = True
    for what, grow in (
        ("of one campaign", tracker.search_on),
        ("of many campaigns", tracker.add_campaigns),
    ):
        tracker.reset()
        costs = []
        for number in runs:
            grow(number)
            tracker.check()
            costs.append(measure(tracker.root, CAMPAIGN, rounds, f"{number:,} runs {what}"))
        ratio = costs[-1].wall_s / costs[0].wall_s
        slope = (costs[-1].wall_s - costs[0].wall_s) / (runs[-1] - runs[0])
        print(f"    ratio {ratio:.2f} (aim {AIM_RATIO:g}), {1e3 * slope:.2f} ms a further run")
        kept &= ratio <= AIM_RATIO
        kept &= costs[-1].wall_s <= AIM_S and costs[-1].peak_mb <= AIM_MB
    tracker.reset()
    return kept


def measure_repeats(root: Path, pack: Pack, rounds: int) -> None:
    """Measure what one more repeat run costs."""
    few = log_campaign(root, "few-7f3a", pack, "blocks:3", 1)
    many = log_campaign(root, "many-7f3a", pack, "blocks:3", 10)
    costs = [
        measure(root, logged.name, rounds, f"{number} repeat runs of networks")
        for logged, number in ((few, 9), (many, 90))
    ]
    slope, more = costs[1].wall_s - costs[0].wall_s, costs[1].peak_mb - costs[0].peak_mb
    ratio = costs[1].wall_s / costs[0].wall_s
    print(
        f"    ratio {ratio:.2f} (aim {AIM_RATIO:g}), {slope / 81:.2f} s and {more / 81:.1f} MB a further run"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 when one number is above its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pack", type=Path, help="pack of all tiles; default: the twin's, made here"
    )
    parser.add_argument("--to", type=Path, help="new folder to keep; default: a temporary one")
    parser.add_argument("--runs", type=int, nargs=2, default=RUNS, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--repeats", action="store_true", help="what a repeat run costs, instead")
    args = parser.parse_args(argv)
    os.environ.pop(URI_VARIABLE, None)  # the database is the one made here
    with tempfile.TemporaryDirectory() as scratch:
        root = args.to or Path(scratch) / "mlruns"
        pack = (
            load_pack(args.pack)
            if args.pack
            else make_pack(make_twin(Path(scratch) / "data"), Path(scratch))
        )
        print("the report's wall time, processor time, peak memory; its page's size")
        if args.repeats:
            measure_repeats(root, pack, args.rounds)
            return 0
        logged = log_campaign(root, CAMPAIGN, pack, "blocks", SEEDS, list_baselines(SAR_CHANNELS))
        kept = measure_growth(Tracker(root, logged), args.runs, args.rounds)
    print(f"aims: {AIM_S:.0f} s, {AIM_MB:.0f} MB")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
