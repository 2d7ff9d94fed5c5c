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
