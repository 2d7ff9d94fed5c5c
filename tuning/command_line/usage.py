"""What ``landslide --help`` shows: every command by group."""

from itertools import groupby

from data.command.parser import CommandParser, called_as, make_parser
from tuning.command_line.table import COMMANDS

PROGRAM = "landslide"
SHELLS = ("bash", "zsh", "tcsh")


def describe_commands() -> str:
    """Return all commands by group, one line each."""
    width = max(len(row.name) for row in COMMANDS) + 2
    groups = groupby(COMMANDS, key=lambda row: row.group)
    return "\n\n".join(
        "\n".join([f"{name}:", *(f"  {row.name:<{width}}{row.about}" for row in rows)])
        for name, rows in groups
    )


def command_parser() -> CommandParser:
    """Return the parser of what stands before a command's name."""
    with called_as("tuning.command_line", PROGRAM):
        parser = make_parser(
            "tuning.command_line",
            f"Benchmark of landslide segmentation on Sentinel-1 time series.\n\n{describe_commands()}",
            example="run --model all\nrun --help",
            notes="Each command is also `python -m MODULE`, such as `python -m tuning.run`.",
            usage="landslide COMMAND [OPTION ...]",
        )
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        metavar="|".join(SHELLS),
        help="print the completion of commands, options and names for a shell, and end",
    )
    return parser
