"""The search's sampler (TPE) and early stopping (ASHA); both resume from the trials' folders.

Optuna's and Ray's own state lives in the driver process; their snapshots are pickles and lag behind. A resumed search
therefore replays the trials' results into new objects.
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
from ray.tune.search.optuna import OptunaSearch

from tuning.trial.entry import TrialEntry
from tuning.trial.folder import VAL_AP, TrialFolder
from tuning.trial.search_space import Domain, LogUniform
from tuning.trial.stage import Stage
from tuning.trial.status import read_end

_NO_CONTROLLER: Any = None  # ASHA does not use it
REDUCTION = 3  # ASHA continues the best third of a rung


class NumberedSampler(BaseSampler):
    """TPE whose draws depend only on the trial's number and the results so far.

    A single random generator for all draws would continue differently after a resume.
    """

    def __init__(self, startup: int, seed: int) -> None:
        self._startup, self._first = startup, seed
        self._tpe = self._seed(0)

    def _seed(self, number: int) -> TPESampler:
        seed = self._first + max(0, number - 1)  # number 0 is the known-good sample, not drawn
        return TPESampler(seed=seed, n_startup_trials=self._startup)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed the generator with the trial's number."""
        self._tpe = self._seed(trial.number)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are sampled jointly."""
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample the joint parameters."""
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample one parameter."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Forward a trial's end to TPE."""
        self._tpe.after_trial(study, trial, state, values)


class ResumableOptunaSearch(OptunaSearch):
    """Optuna search that ignores failed trials."""

    def __init__(self, stage: Stage, **arguments: Any) -> None:
        self._stage = stage
        self._samples: dict[str, Any] = {}  # by Ray's trial id
        super().__init__(**arguments)

    def suggest(self, trial_id: str) -> Any:
        """Return the next sample."""
        self._samples[trial_id] = super().suggest(trial_id)
        return self._samples[trial_id]

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass a trial's result to Optuna; a failed trial has none."""
        folder = self._stage.job.folder(self._samples[trial_id])
        ended = read_end(folder, self._stage.job.stage)
        failed = error or (ended is not None and ended[0] == "error")
        super().on_trial_complete(trial_id, None if failed else result, failed)


def make_searcher(
    space: Mapping[str, Domain],
    first: Mapping[str, Any],
    stage: Stage,
    finished: Mapping[Path, TrialEntry],
    unfinished: Mapping[Path, TrialEntry],
    seed: int | None = None,
) -> ResumableOptunaSearch:
    """Make a stage's searcher and replay the results of its finished trials.

    Args:
        space: Flat search space.
        first: The known-good sample, tried first.
        stage: The stage.
        finished: Entries of its finished trials, in order.
        unfinished: Entries of its started trials, in order; they are suggested first.
        seed: Seed of the sampler (default: that of the stage's trials).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # the callback logs the trials
    domains = {name: _domain(domain) for name, domain in space.items()}
    seed = int(stage.job.fixed["seed"]) if seed is None else seed
    started = [dict(entry.sample) for entry in unfinished.values()]
    searcher = ResumableOptunaSearch(
        stage,
        space=domains,
        points_to_evaluate=started if finished or unfinished else [dict(first)],
        sampler=NumberedSampler(max(3, stage.trials // 4), seed),
        metric=VAL_AP,
        mode="max",
    )
    for path, entry in finished.items():
        rows, ended = TrialFolder(path).history(), read_end(TrialFolder(path), entry.kind)
        failed = not rows or (ended is not None and ended[0] == "error")
        value = math.nan if failed else rows[-1][VAL_AP]
        searcher.add_evaluated_point(dict(entry.sample), value, error=failed)
    return searcher


def _domain(domain: Domain) -> BaseDistribution:
    if isinstance(domain, LogUniform):
        return FloatDistribution(domain.low, domain.high, log=True)
    return CategoricalDistribution(domain)


class ReplayingASHA(ASHAScheduler):
    """ASHA that replays the epochs reported before a resume.

    They count on every rung, and a trial that passed a rung is not stopped there later.
    """

    def __init__(self, stage: Stage, grace: int, finished: Sequence[Path]) -> None:
        super().__init__(
            time_attr="epoch",
            metric=VAL_AP,
            mode="max",
            max_t=stage.epochs + 1,  # training itself ends at the last epoch
            grace_period=grace,
            reduction_factor=REDUCTION,
        )
        self._stage = stage
        for path in finished:
            trial: Any = _FinishedTrial(path.name)
            super().on_trial_add(_NO_CONTROLLER, trial)
            self._replay(trial, TrialFolder(path).history())

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Replay a started trial's epochs except the last, at which it may have been stopped."""
        super().on_trial_add(tune_controller, trial)
        self._replay(trial, self._folder(trial).history()[:-1])

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> Any:
        """Decide whether a trial continues; write the end of a stopped trial to its folder."""
        action = super().on_trial_result(tune_controller, trial, result)
        if action == TrialScheduler.STOP:
            self._folder(trial).end("scheduler", epoch=result["epoch"])
        return action

    def _folder(self, trial: Trial) -> TrialFolder:
        job = self._stage.job
        return job.folder(job.list_samples(trial.config)[0])

    def _replay(self, trial: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            super().on_trial_result(_NO_CONTROLLER, trial, dict(row))


class _FinishedTrial:
    """The part of a Ray trial that ASHA reads."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def make_scheduler(stage: Stage, finished: Sequence[Path]) -> TrialScheduler:
    """Make ASHA, or a scheduler that stops no trial if training ends before the first rung.

    Args:
        stage: The stage.
        finished: Folders of its finished trials.
    """
    grace = max(2, math.ceil(stage.epochs / 4))
    if grace >= stage.epochs:
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return ReplayingASHA(stage, grace, finished)
