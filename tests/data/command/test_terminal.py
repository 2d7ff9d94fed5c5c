"""What is printed neither commands a terminal nor ends a command."""

import io
import sys

import pytest

from data.command.terminal import SafeStream, escape_controls, safe_output


def test_a_terminal_gets_no_control_characters_but_tab_and_line_feed() -> None:
    hostile = "name\x1b]0;title\x07\x9b31m\r\u202eevil\x00\ttab\nline"
    assert (
        escape_controls(hostile) == "name\\x1b]0;title\\x07\\x9b31m\\r\\u202eevil\\x00\ttab\nline"
    )
    assert escape_controls("50 %\r", allowed="\r") == "50 %\r"


@pytest.mark.parametrize("encoding", ["ascii", "euc_jp", "latin-1", "utf-8"])
def test_characters_that_an_encoding_lacks_are_escaped(encoding: str) -> None:
    raw = io.BytesIO()
    stream = SafeStream(io.TextIOWrapper(raw, encoding))
    stream.write("m² ± μ \udcff é\n")
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert text.endswith("\n")
    assert ("m²" in text) == (encoding in ("latin-1", "utf-8"))
    assert "\\udcff" in text  # a byte of a file's name that is no UTF-8


class FullStream(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_message_that_cannot_be_written_is_lost_but_a_result_is_not() -> None:
    assert SafeStream(FullStream(), required=False).write("message\n") == len("message\n")
    with pytest.raises(OSError, match="No space left"):
        SafeStream(FullStream()).write("result\n")


def test_output_is_as_before_after_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with safe_output():
        print("\x1b[2J")
        with safe_output():  # a command that calls another
            print("inner\x07")
    assert sys.stdout is before
    assert capsys.readouterr().out == "\\x1b[2J\ninner\\x07\n"
