"""Time and memory of a report on a tracker with a thousand and with ten thousand runs.

    python benchmarks/report_runs.py [--pack FOLDER] [--to FOLDER] [--runs N N] [--repeats]

The tracker is an SQLite database with a campaign that the platform logged: every network and baseline repeated on
split ``blocks``, and search trials of 40 metrics. It grows in two ways: by search trials of this campaign, and by more
campaigns. With ``--repeats``, campaigns of 9 and of 90 repeat runs of networks on ``blocks:3`` measure the cost of one more
repeat run instead. The script measures the command ``python -m tuning.report`` in its own process: the first report of a
campaign, which loads, tests and registers its models, and a second one, whose models are already registered.
"""

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _campaign import Logged, log_campaign
from _copies import Template, check_copy, count_runs, open_database, read_template, write_copy
from _turns import NETWORKS

from data.pack import Pack, load_pack, make_pack
from data.pack.channels import SAR_CHANNELS
from data.twin import make_twin
from tuning.baselines.baselines import list_baselines
from tuning.tracking.client import URI_VARIABLE, connect
from tuning.trial.search_space import LogUniform, make_space

CAMPAIGN = "reported-7f3a"
RUNS = (1_000, 10_000)
TRIALS = 40  # search trials per network of the campaigns beside it, as in the preset paper
SEEDS = 3
AIM_S, AIM_MB, AIM_RATIO = 60.0, 2000.0, 12.0
# A process counts as its own the memory that its parent held when it began: so a small one starts the report.
LAUNCH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
ENDS = {"scheduler": "KILLED", "last epoch": "FINISHED", "patience": "FINISHED"}


@dataclass(frozen=True)
class Cost:
    """Cost of a report: wall time and processor time in seconds, peak memory in MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


class Tracker:
    """The database, its state after the platform logged its campaign, and the templates for copies.

    Attributes:
        root: Output folder.
        logged: The campaign's runs.
    """

    def __init__(self, root: Path, logged: Logged) -> None:
        self.root, self.logged = root, logged
        self._rng = random.Random(0)  # noqa: S311 - times and scores, no secret
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
        """Delete all copies."""
        with open_database(self.root) as database, sqlite3.connect(self.root / "first.db") as first:
            first.backup(database)

    def search_on(self, runs: int) -> None:
        """Add search trials to the campaign until there are *runs*."""
        with open_database(self.root) as database:
            models = list(self._trials)
            for number in range(runs - count_runs(database)):
                self._copy_trial(database, models[number % len(models)], {})

    def add_campaigns(self, runs: int) -> None:
        """Add search trials to the campaign, then more campaigns, until there are *runs*."""
        self.search_on(len(self._skeleton.rows["runs"]) + TRIALS * len(self._trials))
        models = list(self._trials)
        with open_database(self.root) as database:
            while (lacking := runs - count_runs(database)) > 0:
                name = f"beside-{self._rng.getrandbits(64):016x}"
                renamed = write_copy(database, self._skeleton, {self.logged.name: name}, {})
                for number in range(min(lacking, TRIALS * len(self._trials))):
                    self._copy_trial(database, models[number % len(models)], renamed)

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
        """Raise if a client can distinguish a copy from a run of the platform."""
        client, _ = connect(self.root)
        ask = "SELECT run_uuid FROM runs WHERE name LIKE ? ORDER BY rowid DESC LIMIT 1"
        with open_database(self.root) as database:
            for model, run_id in self.logged.searches.items():
                (copy,) = database.execute(ask, (f"{model} · search%",)).fetchone()
                check_copy(client, run_id, copy)


def report(root: Path, campaign: str) -> Cost:
    """Run the command to its end; raise RuntimeError if it fails."""
    command = [sys.executable, "-m", "tuning.report", "--root", str(root), "--campaign", campaign]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this interpreter, no shell
        [sys.executable, "-c", LAUNCH, *command],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"A report must succeed, but got:\n{done.stderr}")
    cpu_s, peak_kib = map(float, done.stdout.split())
    return Cost(seconds, cpu_s, peak_kib * 1024 / 1e6)


def measure(root: Path, campaign: str, what: str) -> Cost:
    """Report twice, print both costs, and return the first."""
    first, again = (report(root, campaign) for _ in range(2))
    page = (root / "reports" / campaign / "report.html").stat().st_size / 1e6
    for name, cost in ((what, first), ("  again", again)):
        numbers = f"{cost.wall_s:>6.1f} s {cost.cpu_s:>6.1f} s {cost.peak_mb:>6.0f} MB"
        print(f"  {name:<32}{numbers} {page:>5.1f} MB", flush=True)
    return first


def compare(costs: Sequence[Cost], runs: Sequence[int]) -> bool:
    """Print the ratio and the cost of one more run; return whether the ratio is within its aim."""
    few, many = costs
    ratio, more = many.wall_s / few.wall_s, runs[1] - runs[0]
    wall_ms = 1e3 * (many.wall_s - few.wall_s) / more
    cpu_ms = 1e3 * (many.cpu_s - few.cpu_s) / more
    kilobytes = 1e3 * (many.peak_mb - few.peak_mb) / more
    print(
        f"    ratio {ratio:.2f} (aim {AIM_RATIO:g}); a further run takes {wall_ms:.1f} ms, "
        f"{cpu_ms:.1f} ms of a processor, {kilobytes:.0f} kB"
    )
    return ratio <= AIM_RATIO


def measure_growth(tracker: Tracker, runs: Sequence[int]) -> bool:
    """Measure both ways of growth; return whether each meets the aims."""
    kept = True
    for what, grow in (
        ("of one campaign", tracker.search_on),
        ("of many campaigns", tracker.add_campaigns),
    ):
        costs = []
        for number in runs:
            tracker.reset()  # also of the registered models
            grow(number)
            tracker.check()
            costs.append(measure(tracker.root, CAMPAIGN, f"{number:,} runs {what}"))
        kept &= compare(costs, runs)
        kept &= costs[-1].wall_s <= AIM_S and costs[-1].peak_mb <= AIM_MB
    tracker.reset()
    return kept


def measure_repeats(root: Path, pack: Pack) -> bool:
    """Measure the cost of one more repeat run of a network; return whether the ratio is within its aim."""
    costs, runs = [], []
    for seeds in (1, 10):
        name = f"repeats-{seeds}-7f3a"
        log_campaign(root, name, pack, "blocks:3", seeds)
        runs.append(3 * len(NETWORKS) * seeds)
        costs.append(measure(root, name, f"{runs[-1]} repeat runs of networks"))
    return compare(costs, runs)


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if a number is above its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pack", type=Path, help="pack of all tiles; default: the twin's, made here"
    )
    parser.add_argument("--to", type=Path, help="new folder to keep; default: a temporary one")
    parser.add_argument("--runs", type=int, nargs=2, default=RUNS, help="default: %(default)s")
    parser.add_argument(
        "--repeats", action="store_true", help="measure the cost of a repeat run instead"
    )
    args = parser.parse_args(argv)
    os.environ.pop(URI_VARIABLE, None)  # the database is the one made here
    with tempfile.TemporaryDirectory() as scratch:
        root = args.to or Path(scratch) / "mlruns"
        made = args.pack or make_pack(make_twin(Path(scratch) / "data"), Path(scratch)).path
        pack = load_pack(made)
        print("wall time, processor time and peak memory of the report; size of its page:")
        if args.repeats:
            return 0 if measure_repeats(root, pack) else 1
        logged = log_campaign(root, CAMPAIGN, pack, "blocks", SEEDS, list_baselines(SAR_CHANNELS))
        kept = measure_growth(Tracker(root, logged), args.runs)
    print(f"aims: {AIM_S:.0f} s, {AIM_MB:.0f} MB")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
