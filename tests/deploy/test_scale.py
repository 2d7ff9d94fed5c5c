"""The benchmark of many parallel trials runs to the end, and its numbers count trials that MLflow has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "benchmarks" / "scale_campaign.py"


@pytest.mark.slow
def test_quick_measurement_gives_every_number(tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT), "--quick", "--to", str(tmp_path / "numbers.json")]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: a noisy machine
    assert "Traceback" not in done.stderr
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    for sent in numbers["sqlite"].values():
        assert all(cost > 0 for step in ("start", "epoch", "end") for cost in sent[step])
        assert sent["artifacts"] > sent["files"] > 3  # curves, figure, the trial's own files
    assert all(seconds > 0 for group in ("loop", "suggest") for seconds in numbers[group].values())
    assert numbers["database"] > 50_000
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("loop's cost per report, most over fewest trials: ")
