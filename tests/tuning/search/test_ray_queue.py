"""Tests of `tuning.search.ray_queue`: what Ray writes of a queue to disk."""

import pickle
from typing import Any

import numpy as np

from tuning.search.ray_queue import QueueSearcher


class Heavy:
    """Stands for a queue, whose trials lead to the campaigns' tiles."""

    running, is_empty = 0, True

    def __init__(self) -> None:
        self.tiles = np.zeros(1_000_000)

    def begin(self, trial_id: str, slots: int) -> Any:
        return None


def _one() -> int:
    return 1


def test_the_copy_of_a_searcher_on_disk_has_no_tiles() -> None:
    searcher = QueueSearcher(Heavy(), [], _one)  # type: ignore[arg-type]
    assert len(pickle.dumps(searcher)) < 10_000
    assert searcher.suggest("a") == QueueSearcher.FINISHED  # itself keeps its queue
