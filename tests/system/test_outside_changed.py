"""A network from outside is found again by every command, and a changed file is refused with both hashes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.campaigns import PROJECT, Command
from tests.support.outside_networks import write_tiny
from tuning.tracking.client import connect, find_runs

pytestmark = pytest.mark.slow

REFUSED = r"error: The network tiny_net must be the one that was trained, but the source files of"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, twin: Path) -> Command:
    """A smoke campaign of a network in a folder outside the project."""
    root = tmp_path_factory.mktemp("changed")
    reference = write_tiny(root / "home")
    words = "--preset smoke --trials 1 --seeds 1 --cpus-per-trial 1"
    made = Command(root / "mlruns", ["--model", reference, *words.split(), "--data", str(twin)])
    assert made.run() == 0, made.read_log()
    return made


def call(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def train(command: Command, to: Path) -> "subprocess.CompletedProcess[str]":
    (config, *_) = sorted((command.folder / "trials").glob("*/config.json"))
    (pack,) = (command.root / "packs").glob("pack-*")
    assert json.loads(config.read_text())["network"].endswith("tiny.py:TinyNet")
    return call("tuning.train", config, "--pack", pack, "--to", to)


def reproduce(command: Command) -> "subprocess.CompletedProcess[str]":
    runs = find_runs(*connect(command.root), campaign=command.name, kind="trial")
    return call("tuning.reproduce", runs[0].info.run_id, "--root", command.root)


def test_other_processes_find_the_network(command: Command, tmp_path: Path) -> None:
    done = train(command, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    done = reproduce(command)
    assert done.returncode == 0, done.stderr + done.stdout
    done = call("tuning.report", "--campaign", command.name, "--root", command.root)
    assert done.returncode == 0, done.stderr
    assert list(command.read_table()["model"]) == ["TinyNet"]


def test_report_needs_no_file_of_the_network(command: Command) -> None:
    home = command.root.parent / "home"
    home.rename(home.with_name("away"))
    try:
        done = call("tuning.report", "--campaign", command.name, "--root", command.root)
        assert done.returncode == 0, done.stderr
        assert list(command.read_table()["model"]) == ["TinyNet"]
        lost = reproduce(command)
        assert lost.returncode == 2
        assert "A network's file must exist, but got " in lost.stderr
    finally:
        home.with_name("away").rename(home)


def test_changed_file_is_refused_with_both_hashes(command: Command, tmp_path: Path) -> None:
    home = command.root.parent / "home"
    write_tiny(home, "raise SystemExit('it was run')\n")
    try:
        resumed = call("tuning.run", "--resume", command.name, "--root", command.root)
        for done in (train(command, tmp_path / "again"), reproduce(command), resumed):
            assert done.returncode != 0
            assert REFUSED in done.stderr, done.stderr
            assert "it was run" not in done.stderr + done.stdout
    finally:
        write_tiny(home)
