"""A trial trained again from its logged config, and its scores beside the logged ones."""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from data.tiles.manifest import describe_origin
from tuning.reproduce.load_trial import LoggedTrial, load_trial
from tuning.train.evaluate import measure_test
from tuning.train.fit import choose_device, fit, make_config_split
from tuning.trial.folder import VAL_AP, Row, TrialFolder

CPU_TOLERANCE, GPU_TOLERANCE = 1e-6, 1e-3  # the order of sums on a GPU varies
TEST_SCORES = {"test AP": "pr_auc", "test F1": "f1_dice", "threshold": "threshold"}


class _LastEpochError(Exception):
    """Stops a rerun after the last logged epoch."""


@contextmanager
def _use_threads(count: int) -> Iterator[None]:
    previous = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


def rerun(
    trial: LoggedTrial,
    folder: Path,
    device: torch.device,
    threads: int,
    show: Callable[[Row], None],
) -> TrialFolder:
    """Train a trial again, and measure test if the trial did.

    Args:
        trial: The logged trial. If the scheduler stopped it, the rerun stops after the same epoch; the learning
            rate schedule still spans all epochs of the config.
        folder: New or empty folder.
        device: Device to train on.
        threads: Number of CPU threads.
        show: Called after every epoch with its row.

    Returns:
        The rerun's trial folder.

    Raises:
        BadTrialError: If the loss or val average precision is not finite.
    """

    def report(row: Row) -> None:
        show(row)
        if row["epoch"] == trial.stopped_after:
            raise _LastEpochError

    trial_folder = TrialFolder(folder)
    with _use_threads(threads):
        with suppress(_LastEpochError):
            fit(trial.config, trial.pack, folder, report, device=device)
        if trial.tested:
            measure_test(
                trial_folder, trial.pack, make_config_split(trial.config, trial.pack), device
            )
    return trial_folder


def absolute_difference(logged: float | None, now: float | None) -> float:
    """Return the absolute difference; infinity if one value is missing, 0 if both are NaN."""
    if logged is None or now is None or math.isnan(logged) != math.isnan(now):
        return math.inf
    return 0.0 if math.isnan(logged) else abs(logged - now)


def _print_header(first: str) -> None:
    print(f"\n{first:<14}{'logged':>13}{'rerun':>13}{'difference':>13}")


def _print_row(name: str, logged: float | None, now: float | None) -> float:
    """Print one row of a table; return the difference."""
    cells = ["missing" if value is None else f"{value:.8f}" for value in (logged, now)]
    difference = absolute_difference(logged, now)
    print(f"{name:<14}{cells[0]:>13}{cells[1]:>13}{difference:>13.1e}", flush=True)
    return difference


def compare_rerun(trial: LoggedTrial, folder: Path, device: torch.device, threads: int) -> float:
    """Rerun a trial, and print logged and new scores in a table.

    Args:
        trial: The logged trial.
        folder: New or empty folder.
        device: Device to train on.
        threads: Number of CPU threads.

    Returns:
        Largest absolute difference: of val AP in each epoch, best val AP, and the scores on test.
    """
    _print_header("val AP, epoch")
    differences: dict[int, float] = {}

    def show(row: Row) -> None:
        epoch = row["epoch"]
        logged, now = trial.epochs.get(epoch), row["val_pr_auc"]
        differences[epoch] = _print_row(f"{epoch:>13d}", logged, now)

    trial_folder = rerun(trial, folder, device, threads, show)
    for epoch in sorted(set(trial.epochs) - set(differences)):
        differences[epoch] = _print_row(f"{epoch:>13d}", trial.epochs[epoch], None)
    print(f"{'largest':<40}{max(differences.values()):>13.1e}")
    _print_header("score")
    logged, best = trial.metrics.get(VAL_AP), trial_folder.history()[-1][VAL_AP]
    all_differences = [*differences.values(), _print_row("best val AP", logged, best)]
    scores = trial_folder.read("test") or {}
    for name, key in TEST_SCORES.items() if trial.tested else ():
        all_differences.append(_print_row(name, trial.metrics.get(f"test/{key}"), scores[key]))
    return max(all_differences)


def _check_rerun_folder(folder: Path, root: Path) -> None:
    """Refuse a folder that is not empty: a training in it would be resumed, not rerun."""
    campaigns = (root / "campaigns").resolve()
    if folder.resolve().is_relative_to(campaigns) or (folder.exists() and any(folder.iterdir())):
        raise ValueError(
            f"A rerun needs a new or empty folder outside {campaigns}, but got {folder}. "
            "Choose another with --to, or omit --to."
        )


def prepare(args: argparse.Namespace) -> tuple[LoggedTrial, torch.device, int]:
    """Return the trial, the device and the number of threads."""
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"--threads must be 1 or more, but got {args.threads}.")
    if args.to is not None:
        _check_rerun_folder(args.to, args.root)
    trial = load_trial(args.root, args.run_id, args.pack)
    device = torch.device("cpu") if trial.device == "cpu" else choose_device()
    return trial, device, args.threads or trial.threads


def print_settings(
    trial: LoggedTrial, device: torch.device, threads: int, tolerance: float
) -> None:
    """Print the trial, data and devices, and warn of changed code and packages."""
    print(f"Run {trial.run_id} ({trial.name}), ended by {trial.tags['ended_by']}.")
    print(f"Data: {describe_origin(trial.pack.synthetic)} tiles in {trial.pack.path}.")
    logged = f"{trial.device} (threads: {trial.threads})"
    current = f"{device.type} (threads: {threads})"
    print(f"Trial on {logged}, rerun on {current}: must agree within {tolerance:.0e}.")
    for change in trial.changes:
        print(f"warning: {change}", file=sys.stderr)
