"""Registered models: list, promote to champion, roll back; export as ONNX, publish on the Hugging Face hub, fetch.

Nothing is ever deleted.
"""

import argparse
import logging
import sys

import tuning.own_packages  # noqa: F401 - first
from data.command.command import command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_root, make_parser
from tuning.registry.share.arguments import add_commands


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.registry",
        "Registered models: list, promote to champion, roll back; export as ONNX, publish on the Hugging Face hub, fetch. "
        "Nothing is ever deleted.",
        example="list\npromote unet 3\nexport unet --to unet.onnx",
    )
    root = CommandParser(add_help=False)
    add_root(root.add_argument)
    commands = parser.add_subparsers(
        dest="command", required=True, title="commands", metavar="COMMAND"
    )
    commands.add_parser("list", parents=[root], help="list all versions with scores and aliases")
    for name, summary in (
        ("promote", "make a version the champion"),
        ("rollback", "make the previous champion the champion again"),
    ):
        command = commands.add_parser(name, parents=[root], help=summary)
        command.add_argument("model", help="for example unet, VanillaUNet or hokkaido-unet")
        if name == "promote":
            command.add_argument("version", help="number of the version, as `list` shows it")
    add_commands(commands, root)
    return parser


def _run(args: argparse.Namespace) -> int:
    from tuning.registry import commands
    from tuning.registry.resolve import find_model, find_version, open_tracker
    from tuning.registry.share.commands import COMMANDS
    from tuning.store.lease import lock_registry
    from tuning.tracking.client import check_writable

    if args.command in COMMANDS:
        print(COMMANDS[args.command](args))
        return 0
    client, experiment_id = open_tracker(args.root)
    if args.command == "list":
        print(commands.format_versions(client))
        return 0
    check_writable(client, args.root)
    with lock_registry(client, experiment_id):
        name = find_model(client, args.model)
        if args.command == "promote":
            print(commands.promote(client, name, find_version(client, name, args.version)))
        else:
            print(commands.roll_back(client, name))
    return 0


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    args = command_parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    writes_to(args.root)
    return _run(args)


if __name__ == "__main__":
    sys.exit(main())
