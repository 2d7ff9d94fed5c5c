"""A command ends with an exit code and one sentence, whatever happens in it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data.command.command import bad_arguments, command
from data.command.explain import CommandError

ROOT = Path(__file__).parents[3]


@command
def run(error: BaseException | None = None) -> int:
    """Raise an error."""
    print("started")
    if error is not None:
        raise error
    return 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (CommandError("Choose another.", 2), 2, "error: Choose another.\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
        (FileNotFoundError(2, "No such file", "/x\x1b[2J"), 1, "error: No such file: /x\\x1b[2J. "),
    ],
    ids=repr,
)
def test_an_error_becomes_a_sentence_and_an_exit_code(
    error: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(error) == code
    out, err = capsys.readouterr()
    assert out == "started\n"
    assert err.startswith(said)
    assert "Traceback" not in err


def test_what_the_user_typed_ends_with_2() -> None:
    with pytest.raises(CommandError, match="a bad value") as caught, bad_arguments(ValueError):
        raise ValueError("a bad value")
    assert caught.value.code == 2
    with pytest.raises(OSError, match="a bad disk"), bad_arguments(ValueError):
        raise OSError("a bad disk")


def test_an_error_in_the_background_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    @command
    def main() -> int:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        return 0

    assert main() == 0
    assert "In the background: ZeroDivisionError: division by zero (traceback: " in caplog.text


def test_a_reader_that_is_gone_ends_a_command_quietly() -> None:
    code = (
        "import sys\nfrom data.command.command import command\n@command\ndef main():\n"
        "    print('x' * 10**6)\n    return 0\nsys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
