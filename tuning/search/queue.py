"""The queue of all trials of one or more campaigns: each architecture has its own searcher, and its repeats wait for its choice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.search.callback import name_part
from tuning.search.optuna_asha import ResumableOptunaSearch, make_searcher
from tuning.search.order import Chain, choose_next
from tuning.search.progress import Progress
from tuning.search.work import SearchWork, Work, stack_seeds
from tuning.trial.entry import register_trial
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import first_sample
from tuning.trial.stage import QUEUED_STAGE
from tuning.trial.status import has_failed, is_finished, split_finished


class Searching:
    """A search while it runs.

    Attributes:
        work: The search.
        key: Key of its stage in Ray's samples.
        part: Its part of the progress.
        left: Trials that have not begun.
        running: Ids of Ray's trials that run or are about to.
        chosen: Whether it has chosen.
    """

    def __init__(self, work: SearchWork, campaign: Work) -> None:
        finished, unfinished = split_finished(work.stage)
        self.work, self.key = work, campaign.key_search(work)
        self.part = name_part(campaign.name, work.stage.name, work.model)
        # A choice stays, even if trials that failed could run again: repeats of the winner may have begun.
        self.chosen = any(entry.model for entry in (finished | unfinished).values())
        self.left = 0 if self.chosen else max(0, work.stage.trials - len(finished))
        self.running: set[str] = set()
        numbers = (entry.number for entry in (finished | unfinished).values())
        self._next = 1 + max(numbers, default=0)
        self._searcher: ResumableOptunaSearch = make_searcher(
            work.space, first_sample(work.model, work.space), work.stage, finished, unfinished
        )

    @property
    def has_ended(self) -> bool:
        """Whether all its trials have ended."""
        return not self.left and not self.running

    def ran_out_of_memory(self) -> bool:
        """Return whether trials ran out of memory, which more resources may help."""
        unfinished = split_finished(self.work.stage)[1]
        return any(has_failed(TrialFolder(path), "memory") for path in unfinished)

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Return the sample of the next trial, which is written down at once.

        Trials begin in another order than they are drawn. If the driver is killed before one begins, its sample must not be lost,
        nor be drawn again for another.
        """
        sample = self._searcher.suggest(trial_id)
        entry = register_trial(self.work.stage, sample, self._next)
        self._next = max(self._next, entry.number + 1)
        self.left -= 1
        self.running.add(trial_id)
        return {**sample, QUEUED_STAGE: self.key}

    def complete(self, trial_id: str, result: dict[str, Any] | None, *, error: bool) -> None:
        """Pass the result of a trial to the searcher."""
        self.running.discard(trial_id)
        self._searcher.on_trial_complete(trial_id, result, error)


class Study:
    """One architecture's trials of a campaign: its searches, one for each searched fold, and its repeats.

    Attributes:
        work: The campaign's.
        model: Name of the architecture.
        searches: Its searches that had not chosen.
        ready: Repeats that may begin: the rank of the seed, and the configs of one process.
    """

    def __init__(self, work: Work, model: str, progress: Progress) -> None:
        own = [search for search in work.searches if search.model == model]
        self.work, self.model, self._progress = work, model, progress
        self.searches = [Searching(search, work) for search in own]
        self.ready: list[tuple[int, list[Config]]] = []
        self._known: set[str] = set()  # keys of the repeats that were listed
        self._planned = work.repeat.trials // max(1, len(work.resources))
        self._part = name_part(work.name, work.repeat.name, model)
        cost = work.costs.get(model)
        progress.plan(self._part, self._planned, work.repeat.epochs, cost)
        for one in self.searches:
            progress.plan(one.part, one.work.stage.trials, one.work.stage.epochs, cost)

    def list_repeats(self) -> None:
        """Take up the repeats of all choices that were made since the last call."""
        job = self.work.repeat.job
        configs = [c for c in self.work.list_repeats() if c["model"] == self.model]
        ranks = {seed: rank for rank, seed in enumerate(dict.fromkeys(c["seed"] for c in configs))}
        keys = {job.key({"config": config}): config for config in configs}
        fresh = {key: config for key, config in keys.items() if key not in self._known}
        self._known.update(fresh)
        left = [
            config
            for key, config in fresh.items()
            if not is_finished(TrialFolder(Path(job.trials) / key), job.stage)
        ]
        self.ready += [
            (ranks[stack[0]["seed"]], stack) for stack in stack_seeds(left, self.work.repeat.stack)
        ]
        self.ready.sort(key=lambda pair: pair[0])

    def settle(self, *, last: bool) -> bool:
        """Let each search choose whose trials have all ended; return whether one did.

        Args:
            last: Whether a search with trials that ran out of memory chooses too; otherwise it waits for more resources.
        """
        ended = [one for one in self.searches if one.has_ended and not one.chosen]
        for one in ended:
            if last or not one.ran_out_of_memory():
                one.work.choose()
                one.chosen = True
        return any(one.chosen for one in ended)

    def measure(self) -> Chain:
        """Return what is left of its trials."""
        parts = [self._part, *(one.part for one in self.searches)]
        waiting = [one for one in self.searches if not one.chosen]
        return Chain(
            self._progress.epoch_s(*parts),
            sum(one.left for one in waiting),
            max((one.work.stage.epochs for one in waiting), default=0),
            tuple(rank for rank, _ in self.ready),
            max(0, self._planned - len(self._known)),
            self.work.repeat.epochs,
        )

    def begin(self, trial_id: str) -> tuple[dict[str, Any], Searching | None]:
        """Begin its next trial: return Ray's sample, and the search that it belongs to, if any."""
        for one in self.searches:
            if one.left:
                return one.suggest(trial_id), one
        _, stack = self.ready.pop(0)
        return {"configs": stack, QUEUED_STAGE: self.work.key_repeats(self.model)}, None


class TrialQueue:
    """Decides which trial begins next, and lets each search choose once its trials have ended.

    Attributes:
        progress: Epochs and trials so far.
        studies: The architectures of every campaign.
    """

    def __init__(self, works: Sequence[Work], *, last: bool = True) -> None:
        """Open the searches, and list the repeats of winners that are known already.

        Args:
            works: What is to run, one for each campaign.
            last: Whether a search with trials that ran out of memory chooses among the others; otherwise it waits for another
                queue with more resources.
        """
        self._last, self.progress = last, Progress()
        self.studies = [
            Study(work, model, self.progress) for work in works for model in work.resources
        ]
        self._owners: dict[str, Searching | None] = {}  # of Ray's trials that have not ended
        self._list_repeats()

    def _list_repeats(self) -> None:
        for study in self.studies:
            study.list_repeats()

    @property
    def running(self) -> int:
        """Number of Ray's trials that have begun and not ended."""
        return len(self._owners)

    @property
    def is_empty(self) -> bool:
        """Whether no trial is left to begin, now or later."""
        return not any(
            study.ready or any(not one.chosen for one in study.searches) for study in self.studies
        )

    def begin(self, trial_id: str, slots: int) -> Mapping[str, Any] | None:
        """Return the sample of the trial that begins next, None if all others wait for trials that run.

        Args:
            trial_id: Ray's id for it.
            slots: Trials that run at once.
        """
        settled = [study.settle(last=self._last) for study in self.studies]
        if any(settled):
            self._list_repeats()
        number = choose_next([study.measure() for study in self.studies], slots)
        if number is None:
            return None
        sample, self._owners[trial_id] = self.studies[number].begin(trial_id)
        return sample

    def end(
        self, trial_id: str, result: dict[str, Any] | None = None, *, error: bool = False
    ) -> None:
        """Take the end of one of Ray's trials."""
        owner = self._owners.pop(trial_id, None)
        if owner is not None:
            owner.complete(trial_id, result, error=error)
