from pathlib import Path

import pytest

from data.pack.channels import choose_channels
from tests.support.tile_files import make_dataset, write
from tuning.settings.dates import default_steps, default_timesteps

S1 = choose_channels(["s1"])


def test_the_twin_is_read_around_each_tile_s_event(tmp_path: Path) -> None:
    assert default_steps("twin", S1) == "event"
    write(make_dataset().assign_attrs(synthetic="True"), tmp_path)
    assert default_steps(str(tmp_path), S1) == "event"


def test_real_tiles_are_read_at_dates_that_all_share(tmp_path: Path) -> None:
    write(make_dataset(), tmp_path)
    assert default_steps(str(tmp_path), S1) == "common"
    assert default_steps(str(tmp_path), choose_channels(["published"])) == "event"  # clouds


def test_a_folder_that_cannot_be_read_is_left_to_the_later_checks(tmp_path: Path) -> None:
    assert default_steps(str(tmp_path / "nowhere"), S1) == "common"


@pytest.mark.parametrize(
    ("steps", "preset", "wanted"),
    [("all", 4, 15), ("common", 15, 8), ("common", 4, 4), ("even", 15, 15), ("event", 15, 15)],
)
def test_the_number_of_dates_is_the_preset_s_unless_the_choice_needs_another(
    steps: str, preset: int, wanted: int
) -> None:
    assert default_timesteps(steps, preset) == wanted
