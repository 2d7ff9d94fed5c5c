"""Tests of data.values.window."""

import pytest

from data.values.window import Window, is_around_event, is_window, parse_window


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("pre:4/post:2", Window(4, 2)),
        ("pre:all/post:1", Window(None, 1)),
        ("pre:2/post:all", Window(2, None)),
    ],
)
def test_a_window_is_read_and_written_alike(text: str, window: Window) -> None:
    assert parse_window(text) == window
    assert str(window) == text


def test_a_leading_zero_is_the_same_window() -> None:
    assert str(parse_window("pre:04/post:02")) == "pre:4/post:2"


def test_only_a_window_of_two_numbers_is_settled() -> None:
    assert parse_window("pre:4/post:2").settled
    assert not parse_window("pre:all/post:2").settled
    assert parse_window("pre:4/post:2").total == 6
    assert parse_window("pre:all/post:2").total == 2


@pytest.mark.parametrize(
    "text",
    [
        *("", "4/2", "pre:4", "pre:4/post:0", "pre:0/post:2", "pre:-1/post:2", "pre:4/post:2 "),
        *("post:2/pre:4", "pre:x/post:2", "pre:1.5/post:2", "pre:1/post:1..8", "pre:٤/post:2"),
        *("pre:9999/post:1", "PRE:4/POST:2"),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"A window is pre:K/post:K.* but got .* such as pre:4/post:2"
    ):
        parse_window(text)


def test_choices_by_the_date_of_the_event_are_known() -> None:
    assert [
        s for s in ("even", "event", "common", "all", "pre:4/post:2") if is_around_event(s)
    ] == [*("event", "common", "pre:4/post:2")]
    assert is_window("pre:4/post:2")
    assert not is_window("event")
