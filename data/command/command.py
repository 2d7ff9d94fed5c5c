"""What every command shares: one sentence for an error, safe output, and an account that libraries can start with.

``python -m`` imports a command's module, and then calls its ``main``::

    @command
    def main(argv: list[str] | None = None) -> int: ...
"""

import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, ParamSpec

from data.command.account import prepare_account
from data.command.explain import CommandError, explain_error, save_traceback
from data.command.terminal import safe_output

INTERRUPTED = 130  # as a shell says of a command that Ctrl-C ended
CLOSED_OUTPUT = 141  # likewise of one whose reader is gone
P = ParamSpec("P")
Main = Callable[P, int]


def command(main: Main[P]) -> Main[P]:
    """Make a command of a function that returns an exit code: no error leaves it, and its output is safe to print.

    Returns:
        The function; after an error it prints one sentence to stderr and returns 1, or the code of a
        :class:`CommandError`; 130 after Ctrl-C.
    """

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        logging.raiseExceptions = (
            False  # a log on a full disk would print a traceback for each line
        )
        prepare_account()
        with safe_output(), _background_errors():
            try:
                code = main(*args, **kwargs)
                sys.stdout.flush()
            except KeyboardInterrupt:
                print("\nInterrupted.", file=sys.stderr)
                return INTERRUPTED
            except BrokenPipeError:
                _close_stdout()
                return CLOSED_OUTPUT
            except Exception as error:  # noqa: BLE001 - explained
                return report_error(error)
        return code

    return run


def report_error(error: BaseException) -> int:
    """Print an error to stderr as one sentence; return the exit code."""
    print(f"error: {explain_error(error)}", file=sys.stderr)
    return error.code if isinstance(error, CommandError) else 1


def run_resumable(run: Callable[[], int], how_to_continue: Callable[[], None]) -> int:
    """Run what the user can continue later; return its exit code.

    Args:
        run: Does the work, and returns an exit code.
        how_to_continue: Prints how, after an error or Ctrl-C.
    """
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - explained
        code = report_error(error)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        code = INTERRUPTED
    how_to_continue()
    return code


@contextmanager
def bad_arguments(*kinds: type[Exception]) -> Iterator[None]:
    """Let a command end with exit code 2 after an error of some kinds, which what the user typed has caused.

    Args:
        kinds: Kinds of errors; ValueError and OSError by default.

    Raises:
        CommandError: If the body raises one.
    """
    caught = kinds or (ValueError, OSError)
    try:
        yield
    except caught as error:
        raise CommandError(explain_error(error), 2) from error


def leave(code: int) -> NoReturn:
    """End the process with an exit code, after an error or Ctrl-C without waiting for threads that still work.

    What they read is not needed, and what was written is on the disk.
    """
    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    if code and not all(one.daemon for one in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _close_stdout() -> None:
    """Let Python's own flush at exit write nowhere: the reader, such as ``head``, is gone."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


@contextmanager
def _background_errors() -> Iterator[None]:
    """Log errors of threads and destructors in one line, where Python prints their tracebacks."""
    hooks = threading.excepthook, sys.unraisablehook

    def report(event: Any) -> None:
        if event.exc_value is not None:
            logging.getLogger(__name__).warning(
                "In the background: %s: %s (traceback: %s)",
                type(event.exc_value).__name__,
                *(event.exc_value, save_traceback(event.exc_value)),
            )

    threading.excepthook = sys.unraisablehook = report
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks


def _report_import(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an error of a command's module itself: it is imported before its ``main`` can be called."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    report_error(error)


def _name_main() -> str:
    """Return the module that ``python -m`` runs, such as ``tuning.run``; empty if something else runs."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return str(spec.name) if spec is not None else ""


if _name_main().startswith(("data.", "models.", "tuning.")):
    sys.excepthook = _report_import
