"""Sends to MLflow what a campaign could not send because the tracker did not answer."""

import logging
import shlex
import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.tracking",
        "Send to MLflow what a campaign could not send because the tracker did not answer.",
        example="replay mlruns/campaigns/NAME",
        notes="Exit code: 0 if the runs are complete, 1 if not, 2 for a bad argument.",
    )
    commands = parser.add_subparsers(
        required=True, title="commands", metavar="replay", dest="command"
    )
    replay = commands.add_parser("replay", help="send a campaign's unsent trials to MLflow")
    replay.add_argument("folder", type=Path, help="campaign folder, mlruns/campaigns/NAME")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0 if the runs are complete, 1 if not, 2 for a bad argument."""
    args = command_parser().parse_args(argv)
    from tuning.tracking.command.replay import send_missing

    logging.basicConfig(level=logging.WARNING)
    writes_to(args.folder)
    with bad_arguments(ValueError):
        summary, complete = send_missing(args.folder)
    print(f"{summary}.", file=sys.stdout if complete else sys.stderr)
    if complete:
        campaign = args.folder.resolve()
        root = campaign.parents[1]
        words = ["--campaign", campaign.name, "--root", str(root)]
        print(f"Report: python -m tuning.report {shlex.join(words)}")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
