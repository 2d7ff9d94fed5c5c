"""Tests of `tuning.search.work`."""

from tuning.search.work import stack_seeds


def test_seeds_of_one_config_are_stacked_in_their_order() -> None:
    one, other = ({"model": model, "arch": {"width": 4}} for model in ("unet", "attention_unet"))
    configs = [some | {"seed": seed} for seed in (3, 1, 2) for some in (one, other)]
    found = stack_seeds(configs, 2)
    assert [[(one["model"], one["seed"]) for one in stack] for stack in found] == [
        [("unet", 3), ("unet", 1)],
        [("attention_unet", 3), ("attention_unet", 1)],
        [("unet", 2)],
        [("attention_unet", 2)],
    ]
    assert stack_seeds(configs, 1) == [[config] for config in configs]
