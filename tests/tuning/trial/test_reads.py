import pytest

from tuning.trial.reads import Reads, describe_reads

NETWORK = {"model": "unet", "channels": ["s1asc:VV", "s1asc:VH"], "timesteps": 4, "steps": "even"}


def test_network_reads_the_whole_tile_and_has_its_campaigns_trials() -> None:
    expected = Reads(("s1asc:VV", "s1asc:VH"), "4 even", "whole tile", 40)
    assert describe_reads(NETWORK, 40) == expected
    assert describe_reads(NETWORK).search_trials is None


def test_baseline_says_its_own_context_and_trials() -> None:
    found = describe_reads(NETWORK | {"context_px": 3, "search_trials": 4}, 40)
    assert (found.context, found.search_trials) == ("3 px", 4)


def test_params_of_a_run_give_the_same_as_its_config() -> None:
    config = NETWORK | {"context_px": 3, "search_trials": 4}
    assert describe_reads({name: str(value) for name, value in config.items()}) == describe_reads(
        config
    )


def test_models_are_compared_like_with_like_by_channels_and_acquisitions() -> None:
    base = describe_reads(NETWORK, 4)
    assert base.input == describe_reads(NETWORK | {"context_px": 1}, 9).input
    assert base.input != describe_reads(NETWORK | {"timesteps": 15}).input
    assert base.input != describe_reads(NETWORK | {"channels": ["s1asc:VV"]}).input


def test_a_baseline_of_an_earlier_release_reads_all_acquisitions() -> None:
    assert describe_reads({"channels": "['s1asc:VV']"}).acquisitions == "15 all"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "['s1asc:VV', '<b>']"}, "Unknown channel .*<b>"),
        ({"steps": "late"}, "Unknown choice of steps .*late"),
        ({"timesteps": "4.5"}, "timesteps must be a whole number, but got .*4.5"),
        ({"context_px": "-3"}, "context_px must be a whole number, but got .*-3"),
        ({"search_trials": "9" * 20}, "search_trials must be a whole number, but got .*99"),
    ],
)
def test_values_that_no_trial_logs_are_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe_reads(NETWORK | change)
