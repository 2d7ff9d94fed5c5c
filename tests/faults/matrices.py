"""A matrix started as a user starts it, killed at random and continued; its campaigns' runs and results."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults import campaigns
from tests.faults.campaigns import Command, Process
from tests.faults.kills import kill_repeatedly
from tuning.matrix.plan_file import read_plan
from tuning.tracking.client import connect, find_runs

NAME = "matrix"
REFERENCE, OTHER = f"{NAME}-reference", f"{NAME}-channels-VV"
WORDS = ["--vary", "channels=s1,VV", "--cross", "unet,log_ratio_vv", "--preset", "smoke"]
WORDS += ["--cpus-per-trial", "1"]  # the reference cell is the calm campaign


class MatrixCommand(Command):
    """A matrix's command, which may be started several times."""

    @property
    def plan_file(self) -> Path:
        return self.root / "matrices" / self.name / "matrix.json"

    def cells(self) -> list[Command]:
        """Return the campaigns of its cells; none before it is saved."""
        if not self.plan_file.exists():
            return []
        plan = read_plan(self.plan_file)
        return [Command(self.root, self.words, name=cell.campaign) for cell in plan.cells]

    def start(self, *words: str) -> Process:
        """Start the matrix, or resume it if it exists, in its own session."""
        known = ["--resume", self.name]
        new = ["--name", self.name, *self.words, *campaigns.EXTRA]
        chosen: Sequence[str] = words or (known if self.plan_file.exists() else new)
        return self.start_module("tuning.matrix", "--root", str(self.root), *chosen)

    def read_epoch_times(self) -> dict[str, dict[int, int]]:
        """Return the end time of each epoch of each trial of all cells."""
        times: dict[str, dict[int, int]] = {}
        for cell in self.cells():
            times |= {f"{cell.name} {key}": rows for key, rows in cell.read_epoch_times().items()}
        return times

    def list_finished(self) -> set[str]:
        """Return cell and key of the finished trials."""
        return {f"{cell.name} {key}" for cell in self.cells() for key in cell.list_finished()}


def kill_matrix(calm: Command, root: Path, kills: int, seed: int) -> tuple[str, list[str]]:
    """Kill a matrix at random, and compare it with an undisturbed campaign; return a summary and the faults.

    Args:
        calm: The undisturbed campaign that the reference cell equals.
        root: Output folder of the matrix.
        kills: Number of kills.
        seed: Random seed of their times and victims.
    """
    if calm.run_once() != 0:
        return "", [f"the undisturbed campaign failed:\n{calm.read_log()[-3000:]}"]
    matrix = MatrixCommand(root, WORDS, name=NAME)
    counts = kill_repeatedly(matrix, kills, seed)
    faults = [f"{counts.retrained} finished trials trained again"] if counts.retrained else []
    faults += [f"{counts.lost} epochs of a trial lost by one kill"] if counts.lost > 1 else []
    faults += check_matrix(matrix, calm)
    if matrix.run() != 0:
        faults.append(f"a finished matrix does not end well:\n{matrix.read_log()[-2000:]}")
    return str(counts), faults


def check_matrix(matrix: MatrixCommand, calm: Command) -> list[str]:
    """Return what is wrong with a finished matrix: runs that are missing, doubled, elsewhere, or other scores."""
    faults = []
    client, experiment_id = connect(matrix.root)
    parents = find_runs(client, experiment_id, kind="matrix")
    states = [(run.info.status, run.data.tags["matrix"]) for run in parents]
    if states != [("FINISHED", NAME)]:
        return [f"runs of the matrix: {states}\n{matrix.read_log()[-3000:]}"]
    children = find_runs(client, experiment_id, kind="campaign")
    of = {run.data.tags["campaign"]: run.data.tags for run in children}
    if Counter(run.data.tags["campaign"] for run in children) != {REFERENCE: 1, OTHER: 1}:
        faults.append(f"campaigns: {sorted(run.data.tags['campaign'] for run in children)}")
    if {tags.get("mlflow.parentRunId") for tags in of.values()} != {parents[0].info.run_id}:
        faults.append("a campaign's run is not below that of the matrix")
    if {name: tags.get("cell") for name, tags in of.items()} != {
        REFERENCE: "channels=s1",
        OTHER: "channels=VV",
    }:
        faults.append("a campaign's run lacks its place")
    faults += [
        f"{cell.name}: trials whose epochs have gaps or duplicates in MLflow"
        for cell in matrix.cells()
        if cell.count_gaps()
    ]
    keys = [run.data.tags["key"] for run in find_runs(client, experiment_id, kind="trial")]
    if twice := [key for key, count in Counter(keys).items() if count > 2]:  # one in each cell
        faults.append(f"trials with several runs: {twice}")
    reference = matrix.cells()[0]
    if not calm.read_table().equals(reference.read_table()):
        faults.append("the reference cell has other scores than the undisturbed campaign")
    return faults
