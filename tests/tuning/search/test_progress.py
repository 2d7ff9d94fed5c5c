"""How far a queue of trials is."""

import pytest

from tuning.search import progress
from tuning.search.progress import Progress


def test_an_epoch_s_time_is_measured_or_follows_the_cost_beside_measured_parts() -> None:
    counted = Progress()
    for part, cost in (("light", 1.0), ("heavy", 4.0), ("unknown", None)):
        counted.plan(part, 2, 10, cost)
    assert [counted.epoch_s(part) for part in ("light", "heavy", "unknown")] == [1.0, 4.0, 1.0]
    counted.count("light", "a", 1, 3.0)
    counted.count("light", "a", 2, 5.0)
    assert [counted.epoch_s(part) for part in ("light", "heavy", "unknown")] == [4.0, 16.0, 4.0]
    assert counted.epoch_s("heavy", "light") == 4.0  # measured counts more than the cost


def test_a_retried_trial_s_epochs_count_once() -> None:
    counted = Progress()
    counted.plan("one", 2, 10)
    for epoch in (1, 2, 1, 2, 3):
        counted.count("one", "a", epoch, 2.0)
    assert counted.epoch_s("one") == 2.0
    counted.end("one", "a")
    counted.end("one", "a")
    assert counted.trials == (1, 2)


def test_the_time_left_is_that_of_all_parts_at_the_rate_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    counted = Progress()
    counted.plan("search", 2, 4)
    counted.plan("repeat", 1, 10)
    assert counted.estimate(7.0) == 7.0  # nothing is known
    for epoch in range(1, 5):
        now[0] = 100.0 + epoch
        counted.count("search", "a", epoch, 2.0)
        counted.count("search", "b", epoch, 2.0)
    for trial in "ab":
        counted.end("search", trial)
    # 16 s of epochs in 5 s; 10 epochs of 2 s are left
    assert counted.estimate() == pytest.approx(20 / (16 / 6), rel=0.2)
    assert counted.estimate(1000.0) == 1000.0
