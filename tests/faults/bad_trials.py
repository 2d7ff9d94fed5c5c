"""Faulty architectures, added to a copy of the project and run beside a good one; and a worker that hangs."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.faults.campaigns import PROJECT, Command, has_name, list_processes, wait_until
from tuning.tracking.client import connect, find_runs

HANG_MINUTES = 0.75

HEAD = '''"""A faulty network for tests."""

from typing import Any

import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self, in_channels: int, timesteps: int, width: int = 4) -> None:
        super().__init__()
        self.mix = nn.Conv2d(timesteps * in_channels, 1, 1)
        self.calls = 0
        self.loaded = False

    def load_state_dict(self, *arguments: Any, **more: Any) -> Any:
        self.loaded = True
        return super().load_state_dict(*arguments, **more)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.mix(x.flatten(1, 2))
        self.calls += self.training
{body}


build = Net
SPACE: dict[str, list[Any]] = {{"width": [4]}}
KNOWN_GOOD = PUBLISHED = {{"width": 4}}
PAPER_NAME = "{paper}"
'''
BODIES = {
    "broken": "        return logits * (float('nan') if self.training and self.calls > 1 else 1.0)",
    "flat": "        return logits * 0.0 - 2.0 + 0.0 * self.mix.bias",
    "greedy": """        if self.training:
            raise torch.OutOfMemoryError('GPU out of memory: asked for 99 GiB.')
        return logits""",
    "forked": "        return logits if logits.mean() > 0 else -logits",
    "late": """        if self.training or not self.loaded:
            return logits
        return 2 * logits if logits.isfinite().all() else logits""",
}
MENDED = "        return logits"
UNTRAINED = (
    "The network forked must be exportable as an ONNX file, also before it is trained, but: "
)


def copy_project(to: Path) -> Path:
    """Copy the packages, and add the faulty architectures."""
    for name in ("data", "models", "tuning"):
        shutil.copytree(PROJECT / name, to / name)
    for name, body in BODIES.items():
        write_network(to, name, body)
    return to


def write_network(project: Path, name: str, body: str) -> None:
    """Write the file of an architecture."""
    text = HEAD.format(paper=name.capitalize(), body=body)
    (project / "models" / f"{name}.py").write_text(text)


def run_bad_networks(root: Path) -> tuple[str, list[str]]:
    """Run faulty architectures beside a good one; each fails alone, and the error names it.

    One cannot be exported: no trial of it is trained. Another one cannot once it is trained: it keeps its scores.
    """
    words = "--preset smoke --trials 1 --seeds 1 --cpus-per-trial 1"  # so that a retry gets more
    command = Command(
        root,
        ["--model", *BODIES, "unet", *words.split()],
        project=copy_project(root / "project"),
    )
    code = command.run()
    faults = [] if code == 1 else [f"exit code {code}, expected 1:\n{command.read_log()[-2000:]}"]
    reasons = {
        "broken": "must stay finite, but got nan",
        "flat": "must distinguish pixels",
        "greedy": "must fit into the GPU's memory",
    }
    runs = find_runs(*connect(root), campaign=command.name, kind="trial")
    for name, reason in reasons.items():
        own = [run for run in runs if run.data.tags["study"] == name]
        if len(own) != 1 or any(
            run.info.status != "FAILED" or reason not in run.data.tags.get("error", "")
            for run in own
        ):
            found = [(run.info.status, run.data.tags.get("error")) for run in own]
            faults.append(f"{name}: {found}")
        if f"Every search trial of {name} failed." not in command.read_log():
            faults.append(f"{name} is not reported as failed")
    if "/search-greedy: 1 out of memory; once more with Resources(cpus=2" not in command.read_log():
        faults.append("the trials that ran out of memory were not retried")
    if "is retried" in command.read_log():
        faults.append("a trial with its own error was retried")
    if "forked" in {run.data.tags["study"] for run in runs}:
        faults.append("a network was trained that cannot be exported")
    (study,) = [
        run
        for run in find_runs(*connect(root), campaign=command.name, kind="study")
        if run.data.tags["study"] == "forked"
    ]
    if study.info.status != "FAILED" or not study.data.tags.get("error", "").startswith(UNTRAINED):
        faults.append(f"the study of forked is {study.info.status}: {study.data.tags}")
    page = (root / "reports" / command.name / "report.html").read_text()
    if "forked has 0 of 1 repeat runs. The network forked must be exportable" not in page:
        faults.append("the report does not say why forked is missing")
    if f"error: {UNTRAINED}" not in command.read_log():
        faults.append("the command does not end with the reason why forked was not trained")
    good = [run for run in runs if run.data.tags["study"] == "unet"]
    if len(good) != 2 or {run.info.status for run in good} != {"FINISHED"}:
        faults.append(f"unet: {[run.info.status for run in good]}")
    if set(command.read_table()["architecture"]) != {"late", "unet"}:
        faults.append(f"the report ranks {list(command.read_table()['architecture'])}")
    faults += check_late_network(command)
    return f"{len(runs)} trials, {len(BODIES)} studies failed, exit code {code}", faults


def check_late_network(command: Command) -> list[str]:
    """Check a network that could not be exported after training: it lacks its model alone, until its code is mended."""
    client, experiment_id = connect(command.root)
    page, faults = (command.root / "reports" / command.name / "report.html").read_text(), []
    if "error: late lacks a model in 2 runs, whose scores count: torch.onnx" not in (
        command.read_log()
    ):
        faults.append("the command does not end with the reason why late lacks a model")
    if "It could not be exported: torch.onnx cannot export the network" not in page:
        faults.append("the report does not say why late is not registered")
    if "lacks 2 trials" in command.read_log():
        faults.append("the tracker is blamed")
    if (names := [one.name for one in client.search_registered_models()]) != ["hokkaido-unet"]:
        faults.append(f"registered are {names}")
    lacking, whole = {"model_error"}, {"model_uri"}
    for body, code, tags in ((BODIES["late"], 1, lacking), (MENDED, 0, whole)):
        write_network(command.project, "late", body)
        done = subprocess.run(
            [sys.executable, "-m", "tuning.tracking", "replay", str(command.folder)],
            cwd=command.project,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != code or (code and "2 runs still without a model" not in done.stderr):
            faults.append(f"the replay ended with {done.returncode}: {done.stderr[-2000:]}")
        runs = find_runs(client, experiment_id, campaign=command.name, kind="trial")
        late = [run for run in runs if run.data.tags["study"] == "late"]
        found = [set(run.data.tags) & (lacking | whole) for run in late]
        if found != [tags, tags] or {run.info.status for run in late} != {"FINISHED"}:
            faults.append(f"after the replay the runs of late have {found}")
        if command.count_gaps():
            faults.append("a run lacks epochs")
    return faults


def freeze_worker(root: Path) -> tuple[str, list[str]]:
    """Freeze a trial's worker with SIGSTOP: the campaign kills it and retries the trial."""
    words = ["--model", "unet", "--preset", "smoke", "--hang-after", str(HANG_MINUTES)]
    command = Command(root, words)
    driver, frozen = command.start(), []

    def freeze() -> bool:
        for process in list_processes(driver.pid):
            if has_name(process, "ray::ImplicitFunc.train"):
                process.send_signal(signal.SIGSTOP)
                frozen.append(process)
                return True
        return driver.poll() is not None

    wait_until(freeze, 300)
    code = driver.wait(timeout=900)
    faults = [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
    if not frozen:
        faults.append("no worker was found to freeze")
    if f"must end an epoch within {HANG_MINUTES:g} minutes" not in command.read_log():
        faults.append("the hung trial is not reported")
    faults += ["a frozen worker still exists" for one in frozen if psutil.pid_exists(one.pid)]
    faults += (
        [f"a run is still RUNNING: {command.count_states()}"]
        if "RUNNING" in str(command.count_states())
        else []
    )
    return f"{len(frozen)} worker frozen, exit code {code}", faults
