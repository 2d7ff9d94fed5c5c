"""How much each hyperparameter mattered in a search, by PED-ANOVA.

PED-ANOVA asks how the values of the best trials are spread over a hyperparameter's range, compared with those of all trials: a
hyperparameter is important if the best trials crowd where the others do not. Only the order of trials counts, so a trial that
the scheduler stopped may take part: it was stopped because others were better at that epoch.

Reference:
    Watanabe, Bansal, Hutter (2023), PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces,
    IJCAI, arXiv:2304.10255; the implementation is Optuna's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tuning.report.study.ranges import read_value
from tuning.trial.search_space import Domain, LogUniform

BEST_SHARE = 0.25  # of the trials count as the best ones
# Optuna's documentation advises five trials among the best ones or more: a quarter of 20.
MIN_TRIALS = 20
SHUFFLES = 39  # so that the smallest share of shuffles is 1 / 40
SEED = 2018  # of the shuffles: the same trials always yield the same shares
ENDED = ("last epoch", "patience", "scheduler")  # trials with a score that counts

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Importance:
    """Importance of the hyperparameters of one search.

    Attributes:
        trials: Trials that took part.
        shares: Share of each hyperparameter in the sum, by name; empty with fewer than ``MIN_TRIALS``.
        by_chance: How often shuffled scores give a hyperparameter at least this share, by name.
    """

    trials: int
    shares: Mapping[str, float] = field(default_factory=dict)
    by_chance: Mapping[str, float] = field(default_factory=dict)


def list_samples(
    trials: pd.DataFrame, space: Mapping[str, Domain]
) -> tuple[list[dict[str, Any]], list[float]]:
    """Return values and val scores of the search trials that ended with a score, and whose values lie in the space.

    Args:
        trials: A network's rows of ``search_trials.csv``, of one searched fold.
        space: Domain by flat name.
    """
    samples, scores = [], []
    for row in trials.to_dict("records"):
        texts = {name: row.get(f"param/{name}") for name in space}
        sample = {
            name: read_value(text, space[name])
            for name, text in texts.items()
            if isinstance(text, str)
        }
        whole = len(sample) == len(space) and all(value is not None for value in sample.values())
        if whole and row["ended_by"] in ENDED and np.isfinite(row["val_pr_auc"]):
            samples.append(sample)
            scores.append(float(row["val_pr_auc"]))
    return samples, scores


def rate_importance(
    samples: Sequence[Sample], scores: Sequence[float], space: Mapping[str, Domain]
) -> Importance:
    """Rate how much each hyperparameter that was varied decided which trials were among the best quarter.

    Args:
        samples: Values of each trial, by flat name.
        scores: Average precision on val of each trial.
        space: Domain by flat name, which holds all values.

    Returns:
        The shares; none where fewer than ``MIN_TRIALS`` trials took part, or all have one score.
    """
    varied = {
        name: domain
        for name, domain in space.items()
        if isinstance(domain, LogUniform) or len(domain) > 1
    }
    if len(samples) < MIN_TRIALS or len(set(scores)) < 2 or not varied:
        return Importance(len(samples))
    shares = _rate(samples, scores, varied)
    rng = np.random.default_rng(SEED)
    above = dict.fromkeys(shares, 1)
    for _ in range(SHUFFLES):
        shuffled = _rate(samples, rng.permutation(scores).tolist(), varied)
        for name, share in shares.items():
            above[name] += shuffled[name] >= share
    chance = {name: count / (SHUFFLES + 1) for name, count in above.items()}
    return Importance(len(samples), shares, chance)


def _rate(
    samples: Sequence[Sample], scores: Sequence[float], space: Mapping[str, Domain]
) -> dict[str, float]:
    import optuna  # importing it takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    domains = {name: _convert(domain) for name, domain in space.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: sample[name] for name in domains}, distributions=domains, value=score
            )
            for sample, score in zip(samples, scores, strict=True)
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _convert(domain: Domain) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(domain, LogUniform):
        return FloatDistribution(domain.low, domain.high, log=True)
    return CategoricalDistribution(domain)
