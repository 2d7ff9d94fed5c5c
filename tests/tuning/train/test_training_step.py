"""The learning rate follows the config's schedule: warm-up and cosine, or constant."""

from typing import Any

import pytest
import torch

from tuning.train.training_step import TrainingStep, choose_factor, lr_factor


def list_rates(config: dict[str, Any]) -> list[float]:
    config |= {"bce_weight": 0.5, "pos_weight": 1.0}
    step = TrainingStep(config, torch.nn.Linear(1, 1), 40, torch.device("cpu"))
    rates = []
    for _ in range(40):
        rates.append((step.lr, step.optimizer.param_groups[0]["lr"]))
        step.optimizer.step()
        step.scheduler.step()
    assert all(told == pytest.approx(used) for told, used in rates)
    return [told for told, _ in rates]


def test_constant_schedule_keeps_the_learning_rate() -> None:
    assert list_rates({"lr": 1e-3, "weight_decay": 0.01, "schedule": "constant"}) == [1e-3] * 40


def test_config_without_a_schedule_warms_up_and_decays() -> None:
    config = {"lr": 1e-3, "weight_decay": 0.01}
    rates = list_rates(config)
    assert rates == list_rates(config | {"schedule": "cosine"})
    assert rates == [1e-3 * lr_factor(step, 40) for step in range(40)]
    assert rates[0] < rates[1] == max(rates) == 1e-3
    assert rates[-1] < 0.02 * max(rates)
    assert choose_factor({}, 40)(39) == lr_factor(39, 40)
