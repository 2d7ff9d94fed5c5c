"""Importance of hyperparameters: it finds what decided, and refuses few trials."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.report.study.importance import MIN_TRIALS, list_samples, rate_importance
from tuning.trial.search_space import Domain, LogUniform

SPACE: dict[str, Domain] = {
    "lr": LogUniform(1e-4, 1e-2),
    "arch.width": [8, 16, 32],
    "arch.conv": ["plain"],
}


def draw_trials(count: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Draw trials whose score depends on the learning rate alone: the nearer to 1e-3, the better."""
    rng = np.random.default_rng(7)
    samples = [
        {
            "lr": float(10 ** rng.uniform(-4, -2)),
            "arch.width": int(rng.choice([8, 16, 32])),
            "arch.conv": "plain",
        }
        for _ in range(count)
    ]
    return samples, [0.6 - 0.2 * abs(np.log10(one["lr"]) + 3) for one in samples]


def test_the_hyperparameter_that_decided_has_the_largest_share_beyond_chance() -> None:
    found = rate_importance(*draw_trials(40), SPACE)
    assert found.trials == 40
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["lr"] > 0.8
    assert found.by_chance["lr"] <= 0.05
    assert found.by_chance["arch.width"] > 0.05


def test_a_fixed_value_has_no_importance() -> None:
    assert "arch.conv" not in rate_importance(*draw_trials(MIN_TRIALS), SPACE).shares


def test_few_trials_have_no_importance() -> None:
    found = rate_importance(*draw_trials(MIN_TRIALS - 1), SPACE)
    assert (found.trials, found.shares, found.by_chance) == (MIN_TRIALS - 1, {}, {})


def test_equal_scores_have_no_importance() -> None:
    samples, scores = draw_trials(MIN_TRIALS)
    assert rate_importance(samples, [0.5] * len(scores), SPACE).shares == {}


def test_the_same_trials_have_the_same_importance() -> None:
    trials = draw_trials(MIN_TRIALS)
    assert rate_importance(*trials, SPACE) == rate_importance(*trials, SPACE)


def test_trials_that_failed_or_lie_outside_of_the_space_take_no_part() -> None:
    good = {"param/lr": "0.001", "param/arch.width": "16", "param/arch.conv": "plain"}
    rows = [
        good | {"ended_by": "last epoch", "val_pr_auc": 0.5},
        good | {"ended_by": "scheduler", "val_pr_auc": 0.3},
        good | {"ended_by": "error", "val_pr_auc": 0.4},
        good | {"ended_by": None, "val_pr_auc": 0.4},
        good | {"ended_by": "patience", "val_pr_auc": float("nan")},
        good | {"ended_by": "last epoch", "val_pr_auc": 0.4, "param/lr": "0.5"},
        good | {"ended_by": "last epoch", "val_pr_auc": 0.4, "param/arch.conv": float("nan")},
    ]
    samples, scores = list_samples(pd.DataFrame(rows), SPACE)
    assert scores == [0.5, 0.3]
    assert samples[0] == {"lr": 0.001, "arch.width": 16, "arch.conv": "plain"}
