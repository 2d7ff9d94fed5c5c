"""A network that reads dates is exported with them, for any number of acquisitions."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data.pack.normalisation import Normalisation
from models import create_model, list_models, narrow_arch, reads_dates
from tests.support.dated_network import DatedNetwork
from tuning.serving.network import LandslideProgram
from tuning.serving.onnx_export import save_program
from tuning.serving.program import Program, load_program
from tuning.serving.reference import TOLERANCE

NORM = Normalisation(("s1asc:VV", "s1dsc:VV", "DEM"), (-9.0, -9.0, 300.0), (3.0, 3.0, 200.0))
DAYS = np.array([[-13.0, -1, 4, 16], [-20.0, -8, 5, math.nan]], np.float32)


class FixedLength(DatedNetwork):
    """The same for the T of its training alone."""

    def __init__(self, in_channels: int, timesteps: int) -> None:
        super().__init__(in_channels, timesteps)
        self.weights = nn.Parameter(torch.ones(timesteps))

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        return super().forward(x * self.weights[:, None, None, None], days)


def export(network: nn.Module, folder: Path) -> tuple[LandslideProgram, Program]:
    torch.manual_seed(0)
    program = LandslideProgram(network, NORM, 4).eval()
    save_program(program, NORM, folder / "model.onnx")
    return program, load_program(folder / "model.onnx", threads=1)


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> tuple[LandslideProgram, Program]:
    """A small network that reads dates, and its file."""
    return export(DatedNetwork(3, 4), tmp_path_factory.mktemp("dated"))


def make_input(batch: int, length: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(-9, 3, (batch, length, 3, 32, 48)).astype(np.float32)


def test_a_network_that_reads_dates_takes_any_number_of_acquisitions(
    dated: tuple[LandslideProgram, Program],
) -> None:
    program, loaded = dated
    assert (loaded.reads_dates, loaded.any_length, loaded.timesteps) == (True, True, 4)
    for length in (1, 2, 4, 9, 15):
        x = make_input(2, length)
        days = (np.arange(length) * 12 - 25 + np.zeros((2, 1))).astype(np.float32)
        with torch.no_grad():
            wanted = program(torch.from_numpy(x), torch.from_numpy(days)).numpy()
        np.testing.assert_allclose(loaded(x, days), wanted, atol=1e-5)


DATED = [
    name for name in list_models() if reads_dates(create_model(name, 3, 4, **narrow_arch(name)))
]


@pytest.mark.parametrize("name", DATED)
def test_file_of_each_network_that_reads_dates_predicts_as_the_network(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    arch = narrow_arch(name)
    network = create_model(name, 3, 4, **arch | ({"depth": 2} if "depth" in arch else {}))
    program, loaded = export(network, tmp_path)
    assert loaded.any_length
    for batch, length, height, width in ((1, 1, 32, 32), (2, 4, 32, 64), (3, 15, 64, 32)):
        rng = np.random.default_rng(length)
        x = rng.normal(-9, 3, (batch, length, 3, height, width)).astype(np.float32)
        days = (12 * np.arange(length) - 6 * length + 5 + np.zeros((batch, 1))).astype(np.float32)
        days[-1, -1], x[0, 0, :2] = math.nan, np.nan
        with torch.no_grad():
            wanted = program(torch.from_numpy(x), torch.from_numpy(days)).numpy()
        np.testing.assert_allclose(loaded(x, days), wanted, atol=TOLERANCE, rtol=0)
        assert np.isfinite(wanted).all()


def test_networks_that_read_dates_are_among_those_of_the_project() -> None:
    assert {"siamese_diff", "unet_ltae", "utae_dates"} <= set(DATED)


def test_dates_reach_the_exported_network(
    dated: tuple[LandslideProgram, Program],
) -> None:
    _, loaded = dated
    x = make_input(2, 4)
    assert np.abs(loaded(x, DAYS) - loaded(x, -DAYS)).max() > 0.01


def test_an_acquisition_without_a_day_or_without_data_is_ignored(
    dated: tuple[LandslideProgram, Program],
) -> None:
    _, loaded = dated
    x = make_input(2, 4)
    changed, gone = x.copy(), x.copy()
    changed[1, 3] += 5
    gone[1, 2, :2] = np.nan  # both orbits; the heights stay
    unknown = DAYS.copy()
    unknown[1, 2] = np.nan
    np.testing.assert_array_equal(loaded(changed, DAYS), loaded(x, DAYS))
    np.testing.assert_allclose(loaded(gone, DAYS), loaded(gone, unknown), atol=1e-6)
    assert np.abs(loaded(gone, DAYS) - loaded(x, DAYS)).max() > 0.01


def test_a_torch_program_does_not_map_without_its_dates() -> None:
    program = LandslideProgram(DatedNetwork(3, 4), NORM, 4).eval()
    with pytest.raises(ValueError, match=r"reads dates: it takes x and days .* Pass the days too"):
        program(torch.from_numpy(make_input(2, 4)))


def test_a_network_of_a_fixed_length_keeps_it(tmp_path: Path) -> None:
    _, loaded = export(FixedLength(3, 4), tmp_path)
    assert (loaded.reads_dates, loaded.any_length, loaded.timesteps) == (True, False, 4)
    with pytest.raises(ValueError, match=re.escape("(B, T=4, C=3, H, W), but got (2, 5, 3")):
        loaded(make_input(2, 5), np.zeros((2, 5), np.float32))


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (
            None,
            "(B, T), days from the event to each acquisition, NaN = none, but got none. Pass th",
        ),
        (DAYS[:, :3], "but got (2, 3) for (2, 4). Pass one for each image."),
        (DAYS + 17_700, "but got 17687 days. Count from the event, not from another date."),
    ],
)
def test_wrong_days_are_refused(
    days: np.ndarray | None, message: str, dated: tuple[LandslideProgram, Program]
) -> None:
    _, loaded = dated
    with pytest.raises(ValueError, match=re.escape(message)):
        loaded(make_input(2, 4), days)
