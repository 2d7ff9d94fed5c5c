"""Tiny data in the real format, shared by the tests."""

import copy
import os
import sys

# The tests share the cores: a thread that waits for another one by spinning would take a core from the next test.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when torch is imported
os.environ.setdefault(
    "RAY_raylet_start_wait_time_s", "120"
)  # a node starts slowly beside other tests

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from data.pack import Pack, make_pack
from data.splits import Split, make_split, survey_catalogue
from data.tiles import ORBITS, tile_path
from data.twin import make_twin
from models.outside import consent
from tuning.serving.graph.cache import VARIABLE
from tuning.settings.presets import pick_tiles
from tuning.trial.folder import Config

if TYPE_CHECKING:  # a machine with a GPU may lack a browser
    from playwright.sync_api import Browser

    from tests.faults.campaigns import Command
    from tests.support.forked_commands import Server
    from tests.support.loopback_catalogue import LoopbackCatalogue

SLOW_S = 10  # of a slow test, where its file has no file_s


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With -n, schedule whole files, since their fixtures are expensive, in the order of collection."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # or the file with the most tests would run first
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files that take longest first: with -n, a long file at the end leaves other workers idle."""
    cost: Counter[Path] = Counter()
    for item in items:
        if mark := item.get_closest_marker("file_s"):
            cost[item.path] = mark.args[0]
        elif item.get_closest_marker("slow"):
            cost[item.path] += SLOW_S
    items.sort(key=lambda item: -cost[item.path])


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute on one thread: these networks are too small to benefit from more."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of a test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def graphs(shared: Path) -> Iterator[None]:
    """Keep the graphs and named networks in the tests' own folder, also those of commands that a test starts."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(VARIABLE, str(shared / "graphs"))
        patched.setenv(consent.VARIABLE, str(shared / "named-networks"))
        yield


@pytest.fixture(scope="session", autouse=True)
def databases(shared: Path) -> Iterator[None]:
    """Let MLflow copy its empty databases, where a collected test has imported it."""
    if "mlflow" not in sys.modules:
        yield
        return
    from tests.support.empty_database import copy_databases

    with copy_databases(shared / "empty-mlflow.db"):
        yield


@pytest.fixture(scope="session")
def twin(shared: Path) -> Path:
    """Twelve tiles of the twin, four of each part of the default split; shared by all workers of a test run."""
    chosen = pick_tiles("blocks", 4, survey_catalogue())
    return make_twin(shared / "twins", tile_ids=chosen, progress=False)


@pytest.fixture
def forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the campaigns of ``tests/faults`` from a server, for laws that do not depend on how a command starts."""
    from tests.faults import campaigns  # imports MLflow

    monkeypatch.setattr(campaigns, "SERVER", lambda: request.getfixturevalue("commands"))


@pytest.fixture
def calm(
    shared: Path, twin: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> "Command":
    """The campaign that disturbed ones must equal, on the tiny twin; the first test that needs it runs it."""
    from tests.faults import campaigns  # imports MLflow

    monkeypatch.setattr(campaigns, "EXTRA", ["--data", str(twin)])
    return campaigns.Command(
        shared / "calm",
        campaigns.CALM_WORDS,
        server=lambda: request.getfixturevalue("commands"),
    )


@pytest.fixture(scope="session")
def quad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tiles of the twin around a corner: 579 and 619 above 578 and 618."""
    chosen = [f"hokkaido_{number}" for number in (578, 579, 618, 619)]
    return make_twin(tmp_path_factory.mktemp("quad"), tile_ids=chosen, progress=False)


@pytest.fixture(scope="session")
def pack(twin: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The pack of the tiny twin."""
    return make_pack(twin, tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="session")
def split(pack: Pack) -> Split:
    """The default split of the tiny twin."""
    return make_split("blocks", pack.surveys())


@pytest.fixture
def copy_tiles(twin: Path, tmp_path: Path) -> Callable[[], Path]:
    """Copy the tiny twin's tiles into a folder that a test may damage."""

    def copy() -> Path:
        for orbit in ORBITS:
            (tmp_path / "tiles" / orbit).mkdir(parents=True)
            for file in (twin / orbit).iterdir():
                (tmp_path / "tiles" / orbit / file.name).write_bytes(file.read_bytes())
        return tmp_path / "tiles"

    return copy


@pytest.fixture(scope="session")
def base_config(pack: Pack) -> Config:
    """A config that trains an epoch in less than a second."""
    return {
        "model": "unet",
        "arch": {"width": 4, "depth": 2, "conv": "plain", "norm": "batch"},
        "channels": ["s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"],
        "timesteps": 2,
        "batch_size": 2,
        "lr": 3e-3,
        "weight_decay": 0.01,
        "bce_weight": 0.5,
        "pos_weight": 2.0,
        "clip": 1.0,
        "augment": {"turn": 1},
        "steps": "even",
        "norm": "train",
        "epochs": 3,
        "patience": 3,
        "seed": 42,
        "split": "blocks",
        "data": pack.hash,
    }


@pytest.fixture
def config(base_config: Config) -> Config:
    """The tiny config, for a test to change."""
    return copy.deepcopy(base_config)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A real, headless browser."""
    from playwright.sync_api import sync_playwright

    from tests.support.browsing import find_chromium

    path = find_chromium()
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LoopbackCatalogue]":
    """Stand-ins of the public catalogues, with a place of the twin and the real tile in them."""
    from tests.support.loopback_catalogue import serve_catalogue

    with serve_catalogue(tmp_path_factory.mktemp("catalogue")) as catalogue:
        yield catalogue


@pytest.fixture
def catalogue(served: "LoopbackCatalogue") -> "Iterator[LoopbackCatalogue]":
    """The same, without log and faults."""
    served.calm()
    yield served
    served.calm()


@pytest.fixture(scope="session")
def scene_commands() -> "Iterator[Server]":
    """A process that forks `python -m data.scene`, for the price of its imports."""
    from tests.support.forked_commands import start_server
    from tests.support.loopback_scenes import MODULES

    with start_server(MODULES) as server:
        yield server


@pytest.fixture(scope="session")
def commands(graphs: None) -> "Iterator[Server]":
    """A process that forks `python -m` of any command, for the price of its imports."""
    from tests.support.forked_commands import start_server

    with start_server() as server:
        yield server


@pytest.fixture
def spoil() -> Callable[[Path, str, str], Path]:
    """Replace one tile file by text."""

    def replace(root: Path, tile_id: str, orbit: str) -> Path:
        path = tile_path(root, tile_id, orbit)
        path.write_text("no NetCDF")
        return path

    return replace


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)
