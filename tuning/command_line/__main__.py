"""``landslide COMMAND``: every command of the benchmark under one name."""

import sys

import tuning.own_packages  # noqa: F401 - first
from data.command.command import command, leave
from data.command.explain import CommandError
from data.io.errors import unknown_name
from tuning.command_line.table import COMMANDS, find_row, load_command
from tuning.command_line.usage import command_parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the named command; return its exit code, 2 if there is none of that name."""
    words = sys.argv[1:] if argv is None else argv
    if not words:
        command_parser().print_help()
        return 0
    if words[0].startswith("-"):
        args = command_parser().parse_args(words)
        if args.print_completion:
            from tuning.command_line.completion import make_completion

            print(make_completion(args.print_completion))
        return 0
    row = find_row(words[0])
    if row is None:
        raise CommandError(unknown_name("command", words[0], [one.name for one in COMMANDS]), 2)
    with load_command(row) as module:
        code: int = module.main(list(words[1:]))
    return code


def run() -> None:
    """End the process with the exit code of the command."""
    leave(main())


if __name__ == "__main__":
    run()
