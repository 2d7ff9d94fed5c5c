"""Check a network against the contract, untrained: each law with pass or fail and the remedy."""

import sys

from data.command.command import bad_arguments, command
from data.command.parser import CommandParser, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "models.check",
        "Check a network against the contract, untrained: each law with pass or fail and the remedy.",
        example="my_network.py:MyNetwork --channels 4 --timesteps 4",
        notes="Exit code: 0 if it keeps every law, 1 if it breaks one, 2 if it is not found.",
    )
    parser.add_argument_group("network").add_argument(
        "network", help="package.module:Class, path/to/file.py:Class, or a name"
    )
    add = parser.add_argument_group("input and arguments").add_argument
    add("--channels", type=int, default=4, metavar="C", help="channels (default: %(default)s)")
    add("--timesteps", type=int, default=4, metavar="T", help="acquisitions (default: %(default)s)")
    add(
        "--arch",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="its arguments (default: those that a search tries first)",
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Check one network; return the exit code."""
    args = command_parser().parse_args(argv)
    from models._registry import add_network, get_architecture
    from models.check.check import check, parse_arch
    from models.outside.locate import is_reference

    with bad_arguments(ValueError):
        arch = parse_arch(args.arch)
        name = add_network(args.network) if is_reference(args.network) else args.network
        made = get_architecture(name)
    arch = {**made.known_good, **arch}
    print(f"{made.paper_name} ({made.name}) of {made.place}, arguments {arch}")
    return 0 if check(name, args.channels, args.timesteps, arch) else 1


if __name__ == "__main__":
    sys.exit(main())
