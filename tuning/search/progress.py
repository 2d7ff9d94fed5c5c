"""How far a queue of trials is: epochs and trials done, the time of an epoch by model, and the time that is left."""

import time
from dataclasses import dataclass, field
from math import isfinite


@dataclass
class _Part:
    """One architecture's trials of one stage."""

    trials: int
    epochs: int
    cost: float | None
    ended: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)  # epochs in this process, by trial
    seconds: float = 0.0  # of these epochs

    @property
    def done(self) -> int:
        return sum(self.counted.values())

    @property
    def left(self) -> float:
        """Epochs that are expected still: of trials that have not ended, as many as those that did had on average."""
        lengths = [epochs for key, epochs in self.counted.items() if key in self.ended]
        mean = sum(lengths) / len(lengths) if lengths else self.epochs
        running = sum(epochs for key, epochs in self.counted.items() if key not in self.ended)
        return max(0.0, mean * (self.trials - len(self.ended)) - running)


class Progress:
    """Counts the epochs of all trials of a queue.

    A part is one architecture's trials of one stage, by its name.
    """

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}
        self._began: float | None = None

    def plan(self, part: str, trials: int, epochs: int, cost: float | None = None) -> None:
        """Plan a part.

        Args:
            part: Its name.
            trials: How many trials it has.
            epochs: Epochs of its longest trial.
            cost: Of an epoch, relative to other parts, for the time before its first epoch has ended.
        """
        self._parts[part] = _Part(trials, epochs, cost)

    def end(self, part: str, trial: str) -> None:
        """Count a trial as ended; one that runs again stays ended."""
        self._parts[part].ended.add(trial)

    def count(self, part: str, trial: str, epoch: int, seconds: float) -> None:
        """Count an epoch of a trial, which took some seconds."""
        found, now = self._parts[part], time.monotonic()
        if self._began is None:
            self._began = now - seconds
        if epoch > found.counted.get(trial, 0):  # a retried trial reports its former epochs again
            found.counted[trial] = epoch
            found.seconds += seconds

    @property
    def trials(self) -> tuple[int, int]:
        """Number of trials that have ended, and of all."""
        parts = self._parts.values()
        return sum(len(part.ended) for part in parts), sum(part.trials for part in parts)

    def epoch_s(self, *parts: str) -> float:
        """Return the seconds of an epoch of some parts: as measured, else by their cost beside that of measured parts."""
        found = [self._parts[part] for part in parts]
        if seconds := sum(part.seconds for part in found):
            return seconds / sum(part.done for part in found)
        cost = next((part.cost for part in found if part.cost), None)
        known = [part for part in self._parts.values() if part.seconds]
        usual = sum(p.seconds for p in known) / sum(p.done for p in known) if known else 1.0
        rates = [part.seconds / part.done / part.cost for part in known if part.cost]
        if cost is None:
            return usual
        return cost * (sum(rates) / len(rates) if rates else 1.0)

    def estimate(self, least: float = 0.0) -> float:
        """Estimate the seconds that are left, at least *least*, from the epochs so far."""
        seconds = sum(part.seconds for part in self._parts.values())
        done = sum(part.done for part in self._parts.values())
        if self._began is None or not done or not seconds:
            return least
        usual = seconds / done
        left = sum(
            part.left * (part.seconds / part.done if part.done else usual)
            for part in self._parts.values()
        )
        at_once = max(1.0, seconds / max(time.monotonic() - self._began, 1e-9))
        estimate = max(least, left / at_once)
        return estimate if isfinite(estimate) else least
