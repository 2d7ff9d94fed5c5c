"""What a search tries next, and what it stops: both continue from the trials' folders, as if never interrupted.

Optuna's and Ray's own state lives in the driver and dies with it; their snapshots lag behind and are pickles. So
a continued search is told again what its trials came to.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from tuning.trial.folder import TrialFolder
from tuning.trial.search_space import Domain, LogUniform
from tuning.trial.stage import METRIC, Stage, TrialEntry, describe_end

SEARCH_SEED = 42
_NOBODY: Any = None  # ASHA does not look at the controller
REDUCTION = 3  # ASHA lets the best third of a rung go on


class NumberedSampler(BaseSampler):
    """TPE whose every draw depends on the trial's number and the results so far alone.

    A generator that lives on from draw to draw would draw something else after an interruption.
    """

    def __init__(self, startup: int) -> None:
        self._startup = startup
        self._tpe = self._seed(0)

    def _seed(self, number: int) -> TPESampler:
        seed = SEARCH_SEED + max(0, number - 1)  # number 0 is the known-good sample, not drawn
        return TPESampler(seed=seed, n_startup_trials=self._startup)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Begin the trial's own sequence."""
        self._tpe = self._seed(trial.number)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Infer what is drawn jointly."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw jointly."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one value."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Let TPE see a trial's end."""
        self._tpe.after_trial(study, trial, state, values)


class Suggester(OptunaSearch):
    """Optuna, which learns nothing from failed trials, and suggests nothing once the campaign is to stop."""

    def __init__(self, stage: Stage, **arguments: Any) -> None:
        self._stage = stage
        self._samples: dict[str, Any] = {}  # by Ray's trial id
        super().__init__(**arguments)

    def suggest(self, trial_id: str) -> Any:
        """Suggest a sample."""
        if self._stage.job.stop.exists():
            return Searcher.FINISHED
        self._samples[trial_id] = super().suggest(trial_id)
        return self._samples[trial_id]

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take a trial's result, None of one that failed."""
        journal = self._stage.job.journal(self._samples[trial_id])
        ended = describe_end(journal, self._stage.job.stage)
        failed = error or (ended is not None and ended[0] == "error")
        super().on_trial_complete(trial_id, None if failed else result, failed)


def make_searcher(
    space: Mapping[str, Domain],
    first: Mapping[str, Any],
    stage: Stage,
    over: Mapping[Path, TrialEntry],
    rest: Mapping[Path, TrialEntry],
) -> Suggester:
    """Make the searcher of a stage, told what its trials came to.

    Args:
        space: Flat search space.
        first: The known-good sample, tried first.
        stage: The stage.
        over: Its trials that have a result, in their order.
        rest: Its trials that were begun, in their order; they come first.
    """
    domains = {name: _domain(domain) for name, domain in space.items()}
    begun = [dict(entry.sample) for entry in rest.values()]
    searcher = Suggester(
        stage,
        space=domains,
        points_to_evaluate=begun if over or rest else [dict(first)],
        sampler=NumberedSampler(max(3, stage.trials // 4)),
        metric=METRIC,
        mode="max",
    )
    for path, entry in over.items():
        rows, ended = TrialFolder(path).history(), describe_end(TrialFolder(path), entry.kind)
        failed = not rows or (ended is not None and ended[0] == "error")
        value = math.nan if failed else rows[-1][METRIC]
        searcher.add_evaluated_point(dict(entry.sample), value, error=failed)
    return searcher


def _domain(domain: Domain) -> BaseDistribution:
    if isinstance(domain, LogUniform):
        return FloatDistribution(domain.low, domain.high, log=True)
    return CategoricalDistribution(domain)


class Halving(ASHAScheduler):
    """ASHA that knows the epochs of before an interruption.

    What a trial reported then counts on every rung, and a rung that let a trial pass does not judge it again.
    """

    def __init__(self, stage: Stage, grace: int, over: Sequence[Path]) -> None:
        super().__init__(
            time_attr="epoch",
            metric=METRIC,
            mode="max",
            max_t=stage.epochs + 1,  # training itself ends at the last epoch
            grace_period=grace,
            reduction_factor=REDUCTION,
        )
        self._stage = stage
        for path in over:
            past: Any = _Past(path.name)
            super().on_trial_add(_NOBODY, past)
            self._recall(past, TrialFolder(path).history())

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Recall all epochs of a begun trial but the last, after which it may have been stopped."""
        super().on_trial_add(tune_controller, trial)
        self._recall(trial, self._stage.job.journal(trial.config).history()[:-1])

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> Any:
        """Decide whether a trial goes on; one that does not is over."""
        action = super().on_trial_result(tune_controller, trial, result)
        if action == TrialScheduler.STOP:
            self._stage.job.journal(trial.config).end("scheduler", epoch=result["epoch"])
        return action

    def _recall(self, trial: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            super().on_trial_result(_NOBODY, trial, dict(row))


class _Past:
    """A trial that is over, as far as ASHA looks at it."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def make_scheduler(stage: Stage, over: Sequence[Path]) -> TrialScheduler:
    """Make ASHA; trials too short for a rung before their end all run to it.

    Args:
        stage: The stage.
        over: Folders of its trials that have a result.
    """
    grace = max(2, math.ceil(stage.epochs / 4))
    if grace >= stage.epochs:
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return Halving(stage, grace, over)


def quiet_optuna() -> None:
    """Let the mirror say what is tried."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
