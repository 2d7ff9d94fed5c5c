import pytest

from data.pack.channels import choose_channels
from tuning.settings.dates import default_steps, default_timesteps

S1 = choose_channels(["s1"])


def test_acquisitions_around_the_event_are_read_by_default() -> None:
    assert default_steps(S1) == "common"
    assert default_steps(choose_channels(["published"])) == "event"  # clouds


@pytest.mark.parametrize(
    ("steps", "preset", "wanted"),
    [("all", 4, 15), ("common", 15, 8), ("common", 4, 4), ("even", 15, 15), ("event", 15, 15)],
)
def test_the_number_of_dates_is_the_preset_s_unless_the_choice_needs_another(
    steps: str, preset: int, wanted: int
) -> None:
    assert default_timesteps(steps, preset) == wanted
