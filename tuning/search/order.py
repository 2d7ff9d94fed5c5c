"""Which trial begins next: searches before repeats, repeats seed by seed, and the longest chain of trials first.

A chain is an architecture's search and the repeats that wait for its choice. Searches come first, because repeats wait for them,
and among searches that of the longest chain, so that all end together. Where there are many slots, a chain may be longer than all
work divided by the slots; then it decides when everything ends, and its repeats come before other searches (critical path; Graham
1969, doi:10.1137/0117039). Repeats begin seed by seed, so that whatever is cut off has every model at the same seeds, and among
equal seeds the longest first, so that the last trials are short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Chain:
    """What is left of one architecture's trials in one campaign.

    Attributes:
        epoch_s: Seconds, or any unit, that an epoch takes.
        searches: Search trials that have not begun.
        search_epochs: Epochs of a search trial.
        seeds: Ranks of the seeds of the repeat trials that may begin, ascending.
        waiting: Repeat trials that wait for the search's choice.
        repeat_epochs: Epochs of a repeat trial.
    """

    epoch_s: float
    searches: int
    search_epochs: int
    seeds: tuple[int, ...]
    waiting: int
    repeat_epochs: int

    def measure(self, slots: int) -> float:
        """Return how long it takes if it has all *slots* to itself."""
        repeats = ceil((len(self.seeds) + self.waiting) / slots)
        epochs = self.search_epochs * ceil(self.searches / slots) + self.repeat_epochs * repeats
        return self.epoch_s * epochs

    @property
    def work(self) -> float:
        """Time that all its trials take together."""
        repeats = len(self.seeds) + self.waiting
        return self.epoch_s * (self.search_epochs * self.searches + self.repeat_epochs * repeats)


def choose_next(chains: Sequence[Chain], slots: int) -> int | None:
    """Return the index of the chain whose next trial begins, None if no trial may begin.

    Args:
        chains: What is left of every architecture and campaign. The next trial of a chain that has search trials is one of
            these, else the repeat of its lowest seed.
        slots: Trials that run at once.
    """
    lengths = [chain.measure(slots) for chain in chains]
    searching = [number for number, chain in enumerate(chains) if chain.searches]
    repeating = [number for number, chain in enumerate(chains) if chain.seeds]
    if searching:
        shortest = sum(chain.work for chain in chains) / slots  # time that all work takes at least
        longest = max(searching, key=lambda number: lengths[number])
        most = max(shortest, lengths[longest])
        repeating = [number for number in repeating if lengths[number] >= most]
        if not repeating:
            return longest
    if not repeating:
        return None
    return min(repeating, key=lambda number: (chains[number].seeds[0], -chains[number].epoch_s))
