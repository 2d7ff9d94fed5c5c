import os
import re
import tracemalloc
from pathlib import Path

import pytest

from data.io.errors import unknown_name
from data.io.safe_json import (
    MAX_JSON_BYTES,
    RefusedError,
    check_safe_name,
    is_safe_name,
    read_json,
    show_value,
)
from tests.support.hostile_files import DEEP, write_sparse


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (DEEP, "must not be nested deeply"),
        ('{"a":' * 100_000, "must not be nested deeply"),
        ("[1]", "must be an object, but got a list"),
        ("null", "must be an object, but got a NoneType"),
        ("", "must be JSON, but got Expecting value"),
        ('{"a": ' + "9" * 5000 + "}", "must be JSON, but got Exceeds the limit"),
        (b"\xff\xfe{}", "must be UTF-8 text, but got 'utf-8' codec"),
    ],
)
def test_json_other_than_an_object_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RefusedError, match=rf"{re.escape(message)}.* in {file}\. Get the file"):
        read_json(file)


def test_large_json_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "a.json", 100_000_000)
    tracemalloc.start()
    with pytest.raises(RefusedError, match=f"at most {MAX_JSON_BYTES:,} bytes, but got 100,000,0"):
        read_json(file)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_pipe_is_refused_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(RefusedError, match="must be a regular file, but got another type"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "ä",
        "x" * 101,
        None,
        1,
    ],
)
def test_unsafe_names_are_refused(text: object) -> None:
    assert not is_safe_name(text)
    with pytest.raises(
        RefusedError, match="A campaign's name must have at most 100 letters, digits"
    ):
        check_safe_name("campaign", text)


def test_safe_names_are_returned_unchanged() -> None:
    for text in ("first", "20261125-103000-quick", "a.b_c-1", "x" * 100):
        assert check_safe_name("campaign", text) == text


def test_messages_are_short_and_escape_control_characters() -> None:
    text = "\x1b[2J\n" + "x" * 10_000_000
    assert len(show_value(text)) <= 201
    assert "\x1b" not in show_value(text)
    message = unknown_name("split", text, ["blocks"])
    assert len(message) < 300
    assert "\x1b" not in message
