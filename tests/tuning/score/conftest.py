"""One campaign for the tests of foreign predictions; each test that writes gets a copy."""

import shutil
from pathlib import Path

import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.foreign_maps import draw_maps, log_small_campaign, write_statements, write_tiffs


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory, pack: Pack, split: Split) -> Path:
    """The output folder of a campaign of two baselines; read only."""
    return log_small_campaign(tmp_path_factory.mktemp("score") / "mlruns", pack, [split])


@pytest.fixture
def root(logged: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(logged, tmp_path / "mlruns", symlinks=True))


@pytest.fixture
def maps(tmp_path: Path, pack: Pack, split: Split) -> Path:
    """Predictions of the test tiles as GeoTIFFs."""
    folder = write_statements(tmp_path / "maps", split.hash)
    write_tiffs(folder, pack, draw_maps(pack, split.test))
    return folder
