"""Creates whose answer is lost, refused or garbage, counted on a tracker of a few lines."""

import os
from collections.abc import Callable

import pytest
from mlflow.exceptions import ErrorCode, MlflowException

from tuning.store import once
from tuning.store.once import ATTEMPTS, RETRIES, check_id, create_once, do_once, single_requests


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "LOOKUPS_S", (0.0, 0.0, 0.0))


class Store:
    """Creates numbers; fails before or after the work."""

    def __init__(self, *errors: Exception | None, after: bool = True) -> None:
        self.errors, self.after, self.made = list(errors), after, list[int]()
        self.requests = 0

    def create(self) -> int:
        self.requests += 1
        error = self.errors.pop(0) if self.errors else None
        if error is None or self.after:
            self.made.append(len(self.made))
        if error is not None:
            raise error
        return self.made[-1]

    def find(self) -> int | None:
        return self.made[0] if self.made else None


LOST = MlflowException("API request to http://x failed with exception: Read timed out.")
REFUSED = MlflowException("no", error_code=ErrorCode.Value("PERMISSION_DENIED"))


@pytest.mark.parametrize("error", [LOST, ConnectionError("cut"), KeyError("run"), REFUSED])
def test_what_a_lost_answer_created_is_found_and_not_made_again(error: Exception) -> None:
    store = Store(error)
    assert create_once(store.create, store.find) == 0
    assert (store.made, store.requests) == ([0], 1)


def test_create_that_failed_before_the_work_is_asked_for_again() -> None:
    store = Store(LOST, LOST, after=False)
    assert create_once(store.create, store.find) == 0
    assert (store.made, store.requests) == ([0], 3)


def test_create_that_always_fails_ends_with_its_error() -> None:
    store = Store(*[LOST] * 9, after=False)
    with pytest.raises(MlflowException, match="Read timed out"):
        create_once(store.create, store.find)
    assert store.requests == ATTEMPTS


def test_refused_create_is_not_asked_for_again() -> None:
    store = Store(REFUSED, after=False)
    with pytest.raises(MlflowException, match="no"):
        create_once(store.create, store.find)
    assert store.requests == 1


def test_create_is_not_repeated_while_nobody_can_tell_whether_it_was_done() -> None:
    store = Store(LOST)

    def find() -> int | None:
        raise MlflowException("no answer")

    with pytest.raises(MlflowException, match="Read timed out"):
        create_once(store.create, find)
    assert store.requests == 1


def test_deletion_that_was_done_unanswered_is_done() -> None:
    tags = {"error"}

    def delete() -> None:
        tags.remove("error")
        raise LOST

    do_once(delete, lambda: not tags)
    with pytest.raises(KeyError):
        do_once(delete, lambda: False)


@pytest.mark.parametrize("before", [None, "3"])
def test_requests_are_single_only_meanwhile(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    set_before: Callable[[], None] = (
        (lambda: monkeypatch.delenv(RETRIES, raising=False))
        if before is None
        else (lambda: monkeypatch.setenv(RETRIES, before))
    )
    set_before()
    with single_requests(), single_requests():
        assert os.environ[RETRIES] == "0"
    assert os.environ.get(RETRIES) == before


def test_answer_without_an_id_is_no_answer() -> None:
    assert check_id("a", "run") == "a"
    with pytest.raises(MlflowException, match="answer with the id of the run, but gave none"):
        check_id("", "run")
