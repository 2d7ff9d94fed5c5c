"""The queue of trials as Ray Tune sees it: one searcher, one scheduler and one callback, each of which asks the trial's own stage."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuning.search.callback import TrackingCallback
from tuning.search.queue import TrialQueue
from tuning.trial.stage import QUEUED_STAGE
from tuning.trial.sync import StopMarker

RECOUNT_S = 5.0  # between two counts of a cluster's slots

Watch = Callable[[], None]


class QueueSearcher(Searcher):
    """Gives Ray the next trial of a queue when a slot is free."""

    def __init__(
        self,
        queue: TrialQueue,
        markers: Sequence[Path | StopMarker],
        count_slots: Callable[[], int],
        ahead: int = 1,
    ) -> None:
        """Connect a queue with Ray.

        Args:
            queue: The queue.
            markers: Files at whose existence no trial begins any more.
            count_slots: Counts the trials that run at once at present; nodes may come and go.
            ahead: Trials that Ray gets before a slot is free: one, or more so that a cluster adds nodes for them.
        """
        super().__init__()
        self._queue, self._markers, self._ahead = queue, markers, ahead
        self._count, self._slots, self._counted = count_slots, 1, -RECOUNT_S

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the queue: Ray keeps a copy on disk, and the queue leads to the campaigns with all their tiles."""
        return {**self.__dict__, "_queue": None}

    def _find_slots(self) -> int:
        if time.monotonic() - self._counted >= RECOUNT_S:
            self._slots, self._counted = max(1, self._count()), time.monotonic()
        return self._slots

    def suggest(self, trial_id: str) -> Any:
        """Return the sample of the next trial, None while all others wait, ``FINISHED`` if there is none or the user stops."""
        if any(marker.exists() for marker in self._markers):
            return Searcher.FINISHED
        slots = self._find_slots()
        if self._queue.running >= slots + self._ahead:
            return None
        sample = self._queue.begin(trial_id, slots)
        if sample is not None:
            return dict(sample)
        waits = self._queue.running and not self._queue.is_empty
        return None if waits else Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take the end of a trial."""
        self._queue.end(trial_id, result, error=error)

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file, as Ray wants one: a resumed campaign reads the trials' folders."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Refuse: nothing was saved.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("A queue is made anew from the trials' folders.")


class QueueScheduler(FIFOScheduler):
    """Asks the scheduler of a trial's own search; repeats are never stopped."""

    def __init__(self, schedulers: Mapping[str, TrialScheduler]) -> None:
        """Take the scheduler of each search, by the key of its trials."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._schedulers = dict(schedulers)

    def _of(self, trial: Trial) -> TrialScheduler | None:
        return self._schedulers.get(trial.config[QUEUED_STAGE])

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Add a trial to its search."""
        if own := self._of(trial):
            own.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> Any:
        """Decide whether a trial continues."""
        own = self._of(trial)
        return own.on_trial_result(tune_controller, trial, result) if own else self.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Take a trial's last result."""
        if own := self._of(trial):
            own.on_trial_complete(tune_controller, trial, result)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Take the failure of a trial."""
        if own := self._of(trial):
            own.on_trial_error(tune_controller, trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Take the removal of a trial."""
        if own := self._of(trial):
            own.on_trial_remove(tune_controller, trial)


class QueueCallback(tune.Callback):
    """Asks the callback of a trial's own stage."""

    def __init__(
        self, callbacks: Mapping[str, TrackingCallback], watch: Watch | None = None
    ) -> None:
        """Take the callback of each stage, by the key of its trials, and what to call between steps.

        Ray keeps a pickled copy, which watches nothing.
        """
        self._callbacks, self._watch = dict(callbacks), watch

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without what is watched, which belongs to this process."""
        return {"_callbacks": self._callbacks, "_watch": None}

    def _of(self, trial: Trial) -> TrackingCallback:
        return self._callbacks[trial.config[QUEUED_STAGE]]

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Kill the workers of hung trials, and watch what runs beside the trials."""
        for callback in set(self._callbacks.values()):
            if callback.has_hung_trials():
                own = [trial for trial in trials if self._of(trial) is callback]
                callback.on_step_begin(iteration, own)
        if self._watch:
            self._watch()

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        self._of(trial).on_trial_start(iteration, trials, trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Send the new epoch."""
        self._of(trial).on_trial_result(iteration, trials, trial, result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run."""
        self._of(trial).on_trial_complete(iteration, trials, trial)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Log why a trial is retried."""
        self._of(trial).on_trial_recover(iteration, trials, trial)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the run of a trial that failed in every attempt."""
        self._of(trial).on_trial_error(iteration, trials, trial)
