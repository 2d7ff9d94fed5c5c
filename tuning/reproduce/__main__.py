"""Rerun one trial from its logged config, and print how far the rerun is from what was logged.

``python -m tuning.reproduce RUN_ID [--root mlruns]``: exit code 0 where everything agrees, 1 where something differs
or the rerun failed, 2 where there is nothing to rerun. On a CPU only the trial's number of threads gives the trial's
numbers: each thread adds up a share, and sums in another order move val AP by 1e-4 within an epoch or two.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from data.tiles.manifest import describe_origin
from tuning.reproduce.load_trial import LoggedTrial, load_trial
from tuning.train.evaluate import measure_test
from tuning.train.fit import choose_device, fit, make_config_split
from tuning.train.training import BadTrialError
from tuning.trial.folder import Row, TrialFolder

CPU_TOLERANCE, GPU_TOLERANCE = 1e-6, 1e-3  # a GPU adds in no fixed order
TEST_SCORES = {"test AP": "pr_auc", "test F1": "f1_dice", "threshold": "threshold"}


class _EnoughError(Exception):
    """Ends a rerun after the last epoch that was logged."""


@contextmanager
def _use_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def rerun(
    trial: LoggedTrial,
    folder: Path,
    device: torch.device,
    threads: int,
    show: Callable[[Row], None],
) -> TrialFolder:
    """Train a trial anew, and measure test where the trial did.

    Args:
        trial: What to rerun. One that was stopped from outside is stopped after the same epoch; its
            learning rate falls all the same as if it went on to the config's last.
        folder: New or empty folder.
        device: Where to train.
        threads: How many threads compute on a CPU.
        show: Called after every epoch with its row.

    Returns:
        The rerun's folder.

    Raises:
        BadTrialError: If the loss or val average precision is not finite.
    """

    def report(row: Row) -> None:
        show(row)
        if row["epoch"] == trial.stopped_after:
            raise _EnoughError

    journal = TrialFolder(folder)
    with _use_threads(threads):
        with suppress(_EnoughError):
            fit(trial.config, trial.pack, folder, report, device=device)
        if trial.tested:
            measure_test(journal, trial.pack, make_config_split(trial.config, trial.pack), device)
    return journal


def absolute_difference(logged: float | None, now: float | None) -> float:
    """Return the absolute difference: infinite where one of the two is lacking, 0 where both are NaN."""
    if logged is None or now is None or math.isnan(logged) != math.isnan(now):
        return math.inf
    return 0.0 if math.isnan(logged) else abs(logged - now)


def _print_head(first: str) -> None:
    print(f"\n{first:<14}{'logged':>13}{'rerun':>13}{'difference':>13}")


def _print_line(name: str, logged: float | None, now: float | None) -> float:
    """Print one line of a table; return its difference."""
    cells = ["lacking" if value is None else f"{value:.8f}" for value in (logged, now)]
    difference = absolute_difference(logged, now)
    print(f"{name:<14}{cells[0]:>13}{cells[1]:>13}{difference:>13.1e}", flush=True)
    return difference


def compare_rerun(trial: LoggedTrial, folder: Path, device: torch.device, threads: int) -> float:
    """Rerun a trial and print it beside what was logged; return the largest difference.

    Args:
        trial: What to rerun.
        folder: New or empty folder.
        device: Where to train.
        threads: How many threads compute on a CPU.

    Returns:
        Largest absolute difference of val AP in any epoch, best val AP, and the scores on test.
    """
    _print_head("val AP, epoch")
    differences: dict[int, float] = {}

    def show(row: Row) -> None:
        epoch = row["epoch"]
        logged, now = trial.epochs.get(epoch), row["val_pr_auc"]
        differences[epoch] = _print_line(f"{epoch:>13d}", logged, now)

    journal = rerun(trial, folder, device, threads, show)
    for epoch in sorted(set(trial.epochs) - set(differences)):
        differences[epoch] = _print_line(f"{epoch:>13d}", trial.epochs[epoch], None)
    print(f"{'largest':<40}{max(differences.values()):>13.1e}")
    _print_head("score")
    logged, best = trial.metrics.get("best/val_pr_auc"), journal.history()[-1]["best_val_pr_auc"]
    every = [*differences.values(), _print_line("best val AP", logged, best)]
    scores = journal.read("test") or {}
    for name, key in TEST_SCORES.items() if trial.tested else ():
        every.append(_print_line(name, trial.metrics.get(f"test/{key}"), scores[key]))
    return max(every)


def _check_folder(folder: Path, root: Path) -> None:
    """Refuse a folder with anything in it: a training found there would be continued, not rerun."""
    campaigns = (root / "campaigns").resolve()
    if folder.resolve().is_relative_to(campaigns) or (folder.exists() and any(folder.iterdir())):
        raise ValueError(
            f"A rerun needs a new or empty folder outside {campaigns}, but got {folder}. "
            "Choose another, or leave --to out."
        )


def _prepare(args: argparse.Namespace) -> tuple[LoggedTrial, torch.device, int]:
    """Find trial, device and number of threads."""
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"--threads must be 1 or more, but got {args.threads}.")
    if args.to is not None:
        _check_folder(args.to, args.root)
    trial = load_trial(args.root, args.run_id, args.pack)
    device = torch.device("cpu") if trial.device == "cpu" else choose_device()
    return trial, device, args.threads or trial.threads


def _describe(trial: LoggedTrial, device: torch.device, threads: int, tolerance: float) -> None:
    """Print what is rerun, on what, and what has changed."""
    print(f"Run {trial.run_id} ({trial.name}), ended by {trial.tags['ended_by']}.")
    print(f"Data: {describe_origin(trial.pack.synthetic)} tiles in {trial.pack.path}.")
    then = f"{trial.device} (threads: {trial.threads})"
    now = f"{device.type} (threads: {threads})"
    print(f"Trial on {then}, rerun on {now}: must agree within {tolerance:.0e}.")
    for change in trial.changes:
        print(f"warning: {change}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Rerun one trial and compare; return the exit code."""
    parser = argparse.ArgumentParser("python -m tuning.reproduce", description=__doc__)
    parser.add_argument("run_id", help="id of a trial's MLflow run, or the start of it")
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    parser.add_argument("--pack", type=Path, help="folder pack-<hash> (default: the root's)")
    parser.add_argument("--to", type=Path, help="new folder that keeps the rerun (default: none)")
    parser.add_argument("--threads", type=int, help="on a CPU (default: the trial's)")
    args = parser.parse_args(argv)
    try:
        trial, device, threads = _prepare(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ConnectionError) else 2
    used = (device.type, trial.device)
    tolerance = GPU_TOLERANCE if "cuda" in used else CPU_TOLERANCE
    _describe(trial, device, threads, tolerance)
    try:
        with tempfile.TemporaryDirectory() as folder:
            largest = compare_rerun(trial, args.to or Path(folder), device, threads)
    except (ValueError, OSError, BadTrialError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if largest <= tolerance:
        print(f"\nEverything agrees within {tolerance:.0e}.")
        return 0
    print(
        f"\nDIFFERENT: by up to {largest:.1e}, more than {tolerance:.0e}. On a CPU, give the number of "
        "cores that the trial had with --threads; other packages or another processor differ, too."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
