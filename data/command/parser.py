"""The argument parser of every command: its name as the user called it, readable help, an example, ``--version``.

Only the standard library is imported here, at its first use, so that ``--help`` answers at once; and nothing that Python 3.8
cannot load, since ``python -m tuning.doctor`` says that a Python is too old.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any

WIDEST = 100  # columns of a help text
_HELP_AT = 26  # column in which the options' descriptions begin
# Of commands that were not called by ``python -m``.
_names: ContextVar[Mapping[str, str]] = ContextVar("names", default=MappingProxyType({}))


@contextmanager
def called_as(module: str, name: str) -> Iterator[None]:
    """Let the parsers that are made inside show another name of a command's module than ``python -m MODULE``."""
    names = _names.get()
    token = _names.set({**names, module: name})
    try:
        yield
    finally:
        _names.reset(token)


def program_name(module: str) -> str:
    """Return how the user calls a command, such as ``python -m tuning.report`` or ``landslide report``."""
    return _names.get().get(module, f"python -m {module}")


class HelpFormatter(argparse.HelpFormatter):
    """Fills paragraphs to the terminal's width; a paragraph whose further lines are indented is a table or commands."""

    def __init__(self, prog: str, *args: Any, **kwargs: Any) -> None:
        width = min(shutil.get_terminal_size().columns, WIDEST) - 2
        settings = {"max_help_position": _HELP_AT, "width": width, **kwargs}
        super().__init__(prog, *args, **settings)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled = []
        for paragraph in text.strip().split("\n\n"):
            head, *rest = paragraph.splitlines()
            if all(line.startswith(" ") for line in rest):
                lines = [_wrap_row(line, width) for line in rest]
                filled.append("\n".join([super()._fill_text(head, width, indent), *lines]))
            else:
                filled.append(super()._fill_text(paragraph, width, indent))
        return "\n\n".join(filled)


def _wrap_row(line: str, width: int) -> str:
    """Wrap a row of a table of two columns below its second column; leave other lines, such as commands, as they are."""
    found = re.match(r" +\S+ {2,}", line)
    if found is None or len(line) <= width:
        return line
    return textwrap.fill(line, width, subsequent_indent=" " * found.end())


class CommandParser(argparse.ArgumentParser):
    """A parser, also of subcommands, whose help :class:`HelpFormatter` writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", HelpFormatter)
        super().__init__(*args, **kwargs)


class _PrintVersion(argparse.Action):
    """Prints the versions and ends the command; with a value, stores it under the option of another name."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, *rest: Any) -> None:
        value = rest[0]
        if isinstance(value, str):
            setattr(namespace, self.dest, value)
            return
        from data.command.version import describe_versions

        print(describe_versions())
        parser.exit()


def make_parser(
    module: str, description: str, *, example: str, notes: str = "", **options: Any
) -> CommandParser:
    """Make the parser of a command, with ``--version``.

    Args:
        module: What follows ``python -m``.
        description: What the command does.
        example: Arguments of a typical call, which the help shows after the command's name; several in several lines. A line
            that begins with a space continues the one before it.
        notes: What the help says after the example; a paragraph whose second line is indented is not filled.
        **options: Further arguments of :class:`argparse.ArgumentParser`.
    """
    prog = program_name(module)
    lines = [line if line.startswith(" ") else f"  {prog} {line}" for line in example.splitlines()]
    calls = "\n".join(lines)
    epilog = f"example:\n{calls}" + (f"\n\n{notes}" if notes else "")
    parser = CommandParser(prog, description=description, epilog=epilog, **options)
    _add_version(parser)
    return parser


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version",
        action=_PrintVersion,
        nargs=0,
        dest=argparse.SUPPRESS,
        default=argparse.SUPPRESS,
        help="print the versions of the benchmark and its main packages, and end",
    )


def add_root(add: Callable[..., Any]) -> None:
    """Add ``--root``, the output folder of the campaigns that a command reads, with a group's ``add_argument``."""
    add(
        "--root",
        type=Path,
        default=Path("mlruns"),
        metavar="FOLDER",
        help="output folder of the campaigns (default: mlruns)",
    )


def add_data_version(parser: CommandParser, group: Any, names: tuple[str, ...]) -> None:
    """Add ``--data-version NAME``, whose former name ``--version NAME`` still takes a value.

    Args:
        parser: From :func:`make_parser`.
        group: Group of the option.
        names: Versions of the data set; the first is the default.
    """
    group.add_argument(
        "--data-version",
        default=names[0],
        metavar="|".join(names),
        help="version of the data set (default: %(default)s)",
    )
    former = next(a for a in parser._actions if "--version" in a.option_strings)
    former.nargs, former.dest, former.metavar = "?", "data_version", "NAME"
    former.help = f"{former.help}; with a name, as --data-version"
