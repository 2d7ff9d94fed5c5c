"""`landslide` and every command answer --help and --version at once, in their own name, and refuse other names."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuning.command_line.__main__ import main
from tuning.command_line.table import COMMANDS

ROOT = Path(__file__).parents[3]
# In one process, since each fork costs only the imports of its command.
ASK = """
import contextlib, io, json, os, sys, traceback
def ask(words):
    from tuning.command_line.__main__ import main
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(words)
    except SystemExit as end:
        code = end.code
    return {"words": words, "code": code, "said": said.getvalue(), "loaded": sorted(
        {name.partition(".")[0] for name in sys.modules})}
for words in json.loads(sys.argv[1]):
    pid = os.fork()
    if not pid:
        print(json.dumps(ask(words)), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
HEAVY = {
    *("torch", "ray", "mlflow", "xarray", "pandas", "numpy", "matplotlib", "rasterio", "geopandas"),
    *("scipy", "sklearn", "optuna", "onnx", "onnxruntime", "netCDF4", "zarr", "pyproj", "shapely"),
    *("huggingface_hub", "requests", "shtab", "tqdm", "psutil", "PIL", "jinja2"),
}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, ...], dict[str, Any]]:
    calls = [[row.name, option] for row in COMMANDS for option in ("--help", "--version")]
    calls += [["--help"], ["--version"], []]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(calls)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(calls)
    return {tuple(one["words"]): one for one in found}


def walk_help(answers: dict[tuple[str, ...], dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for row in COMMANDS:
        yield row.name, answers[row.name, "--help"]["said"]


def test_help_and_version_load_nothing_heavy(
    answers: dict[tuple[str, ...], dict[str, Any]],
) -> None:
    assert {key: one["code"] for key, one in answers.items() if one["code"] != 0} == {}
    heavy = {key: HEAVY.intersection(one["loaded"]) for key, one in answers.items()}
    assert {key: names for key, names in heavy.items() if names} == {}


def test_help_is_grouped_with_an_example_within_80_columns(
    answers: dict[tuple[str, ...], dict[str, Any]],
) -> None:
    for name, said in walk_help(answers):
        lines = said.splitlines()
        assert [line for line in lines if len(line) > 80] == [], name
        assert said.startswith(f"usage: landslide {name} "), name
        example = lines[lines.index("example:") + 1]
        assert example.startswith(f"  landslide {name} "), name
        groups = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
        assert len({*groups} - {"options:", "example:"}) >= 1, name
        assert "positional arguments:" not in groups, name


def test_every_command_tells_the_versions(answers: dict[tuple[str, ...], dict[str, Any]]) -> None:
    said = answers["--version",]["said"]
    assert said.startswith("landslide-benchmark ")
    assert "\nPython 3." in said
    assert ", torch 2." in said
    assert {answers[row.name, "--version"]["said"] for row in COMMANDS} == {said}


def test_help_lists_every_command_in_a_line(
    answers: dict[tuple[str, ...], dict[str, Any]],
) -> None:
    said = answers["--help",]["said"]
    lines = said.splitlines()
    for row in COMMANDS:
        assert len([line for line in lines if line.split() == [row.name, *row.about.split()]]) == 1
        assert f"{row.group}:" in lines
    assert max(map(len, lines)) <= 80
    assert answers[()]["said"] == said


def test_an_unknown_command_ends_with_2_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["raport"]) == 2
    said = capsys.readouterr().err
    assert "Unknown command 'raport'. Did you mean 'report'? Available: run, matrix, " in said


def test_python_m_shows_its_own_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuning.report", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("usage: python -m tuning.report ")
    assert "\n  python -m tuning.report --campaign" in done.stdout
