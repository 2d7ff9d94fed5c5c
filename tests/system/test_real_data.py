"""Tiles from a hub to a campaign on them, by the four commands of the README."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from data.pack import Pack, load_pack
from data.splits import Split
from data.tiles import MODALITIES
from tests.support.forked_commands import Answer, Call, Server
from tests.support.loopback_hub import LoopbackHub, tar_gz
from tests.support.optical import add_optical
from tests.support.tile_files import unmark
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(140)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hub(twin: Path, pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    """Serve the tiny twin's tiles like the data set: unmarked, three modalities, one archive each."""
    folder = tmp_path_factory.mktemp("offered")
    for orbit in MODALITIES[:2]:
        shutil.copytree(twin / orbit, folder / orbit)
        for path in (folder / orbit).iterdir():
            unmark(path)
    add_optical(folder, list(pack.tile_ids))
    files = {}
    for modality in MODALITIES:
        members = [(f.name, f.read_bytes()) for f in sorted((folder / modality).iterdir())]
        members.append((f"italy_{modality}_1.nc", b"another region"))
        files[f"data_harmonized/{modality}/part01.tar.gz"] = tar_gz(members)
    served = LoopbackHub(files)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


def run(server: Server, folder: Path, *words: str) -> Answer:
    """Run ``python -m`` in *folder*; its standard output is in the file ``out.txt`` there."""
    threads = {"OMP_NUM_THREADS": None}  # as a user starts it
    return server.run(
        Call(words, str(folder), threads, silence_s=240.0, out=str(folder / "out.txt"))
    )


@pytest.fixture(scope="module")
def fetched(folder: Path, hub: LoopbackHub) -> Path:
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "data.fetch", "--to", "tiles", "--s2"]  # reads HF_ENDPOINT first
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "tiles"


def test_fetched_tiles_pass_the_check(commands: Server, folder: Path, fetched: Path) -> None:
    done = run(commands, folder, "data.check", "tiles", "--json")
    assert done.code == 0, done.said
    assert json.loads((folder / "out.txt").read_text())["synthetic"] is False


def test_audit_draws_its_map(commands: Server, folder: Path, fetched: Path) -> None:
    done = run(commands, folder, "data.splits", "tiles", "--map", "map.png")
    assert done.code == 0, done.said
    assert (folder / "out.txt").read_text().startswith("Data: real tiles in tiles.")
    assert (folder / "map.png").stat().st_size > 10_000


def test_campaign_runs_on_fetched_tiles_with_inputs_of_choice(
    commands: Server, folder: Path, fetched: Path, split: Split
) -> None:
    # A user's own split: val and test of the default one, exchanged.
    parts = {"train": split.train, "val": split.test, "test": split.val}
    (folder / "mine.json").write_text(json.dumps(parts))
    words = (
        "tuning.run --data tiles --model unet --preset smoke --trials 1 --seeds 1 --campaign mine"
    )
    inputs = "--split mine.json --channels published DEM slope --steps event --timesteps 6"
    changes = "--augment turn crop=64 jitter=0.5 speckle=1 drop=0.1"
    done = run(commands, folder, *words.split(), *inputs.split(), *changes.split())
    assert done.code == 0, done.said
    lines = done.said.splitlines()
    first = next(line for line in lines if "can be exported" not in line)
    assert (
        "Data: real tiles in tiles (harmonized release, paulhoehn/Sen12Landslides at 012" in first
    )
    table = pd.read_csv(folder / "mlruns" / "reports" / "mine" / "benchmark_master.csv")
    assert set(table["data"]) == {"real"}
    assert set(table["acquisitions"]) == {"6 event"}
    assert table["n_samples"].tolist() == [len(split.val)]
    assert set(table["split"].str[:5]) == {"file:"}
    pack = load_pack(next((folder / "mlruns" / "packs").glob("pack-*")))
    assert (pack.synthetic, pack.modalities) == (False, MODALITIES)
    (trial,) = find_runs(
        *connect(folder / "mlruns"), campaign="mine", study="unet", kind="trial", stage="repeat"
    )
    assert trial.data.params["augment.crop"] == "64"
    assert trial.data.tags["channels"].split()[-3:] == ["s2:B12", "DEM", "slope"]


def test_one_orbit_and_the_published_norm_make_a_campaign(
    commands: Server, folder: Path, fetched: Path
) -> None:
    words = (
        "tuning.run --data tiles --model unet --preset smoke --trials 1 --seeds 1 --campaign one"
    )
    inputs = "--channels s1dsc --norm published --steps all --split blocks:3/3"
    done = run(commands, folder, *words.split(), *inputs.split())
    assert done.code == 0, done.said
    table = pd.read_csv(folder / "mlruns" / "reports" / "one" / "benchmark_master.csv")
    assert set(table["channels"]) == {"s1dsc:VV s1dsc:VH"}
    assert set(table["acquisitions"]) == {"15 all"}
    assert set(table["split"]) == {"blocks:3/3"}
