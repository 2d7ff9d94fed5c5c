"""Runs the blocks of a page in a folder of their own, as a reader would who copies them one after the other."""

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tests.faults.campaigns import Command
from tests.support.cube_files import make_groups
from tests.support.forked_commands import Call, Server
from tests.support.geotiff_files import write_folder
from tests.support.pages import ROOT, Block
from tuning.registry.aliases import CHAMPION
from tuning.registry.model_card import GATE_TAG
from tuning.tracking.client import connect

MODEL = "hokkaido-unet"
LIMIT_S = 300.0  # beside other tests a command may be silent for long
_MODULE = re.compile(
    r"(?:\.venv/bin/)?(?:python -m (?P<module>(?:data|models|tuning)[\w.]*)|landslide)(?P<words> .*)?"
)


def prepare_campaign(folder: Path, source: Path, tiles: Path) -> dict[str, str]:
    """Make a folder in which pages may be followed: ``mlruns`` with three versions of a model, tiles, GeoTIFFs.

    The network of a preset ``smoke`` passes no gate, so its versions are marked as if they had; the first is the champion.

    Returns:
        What stands for a run and a pack in marks: ``@run`` and ``@pack``.
    """
    root = folder / "mlruns"
    Command(source, []).copy_to(root)
    client, _ = connect(root)
    first = client.get_model_version(MODEL, "1")
    for _ in range(2):
        client.create_model_version(MODEL, first.source, first.run_id, tags=first.tags)
    for number in "123":
        client.set_model_version_tag(MODEL, number, GATE_TAG, "passed")
    client.set_registered_model_alias(MODEL, CHAMPION, "1")
    (folder / "tiles").symlink_to(tiles)
    (folder / "elsewhere").mkdir()
    times = np.datetime64("2018-06-13T20:43", "ns") + 12 * np.arange(15) * np.timedelta64(1, "D")
    write_folder(make_groups(times=times), folder / "geotiffs")
    shutil.copy(next(root.rglob("model.onnx")), folder)
    key = client.get_run(first.run_id).data.tags["key"]
    (trial,) = (root / "campaigns").glob(f"*/trials/{key}")
    shutil.copy(trial / "config.json", folder)
    pack = next((root / "packs").glob("pack-*")).relative_to(folder)
    return {"@run": str(first.run_id), "@pack": str(pack)}


def run_page(
    blocks: Iterable[Block], folder: Path, server: Server, known: Mapping[str, str]
) -> list[str]:
    """Run blocks in order in a folder; return a report of each command that did not end with exit code 0."""
    blocks = list(blocks)
    for block in blocks:
        if block.value.startswith("save as "):
            (folder / block.value.removeprefix("save as ")).write_text(block.text)
    failed = []
    python = "\n".join(
        block.replace(block.text)
        for block in blocks
        if block.language == "python" and block.value in ("seconds", "campaign")
    )
    if python:
        failed += _run_shell([sys.executable, "-c", python], folder, "its Python blocks")
    for block in blocks:
        if block.language != "python" and block.value in ("seconds", "campaign"):
            for line in block.commands:
                words = block.replace(line)
                for name, value in known.items():
                    words = words.replace(name, value)
                failed += [f"{block.name}: {said}" for said in _run_line(words, folder, server)]
    return failed


def _run_line(line: str, folder: Path, server: Server) -> list[str]:
    found = _MODULE.fullmatch(line)
    if found is None:
        return _run_shell(["bash", "-euc", line], folder, line)
    words = [
        name
        for word in shlex.split(found["words"] or "")
        for name in (sorted(glob.glob(word, root_dir=folder)) if "*" in word else [word])
    ]
    answer = server.run(
        Call([found["module"] or "tuning.command_line", *words], str(folder), silence_s=LIMIT_S)
    )
    return [f"{line}: exit code {answer.code}\n{answer.said[-1500:]}"] if answer.code else []


def _run_shell(words: list[str], folder: Path, name: str) -> list[str]:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    return (
        [f"{name}: exit code {done.returncode}\n{done.stderr[-1500:]}"] if done.returncode else []
    )
