"""`python -m data.twin`: write synthetic tiles."""

import logging
import sys
from pathlib import Path

from data.command.choices import ALL_REGIONS, DATA_VERSIONS, DEFAULT_REGION, TWIN_REGIONS
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_data_version, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "data.twin",
        "Write synthetic tiles in the format of the real ones, and print their folder.",
        example="--to tiles --region hokkaido noto --seed 7",
    )
    tiles = parser.add_argument_group("tiles")
    tiles.add_argument(
        "--region",
        nargs="+",
        default=[DEFAULT_REGION],
        metavar="NAME",
        help=f"one or more of {', '.join(TWIN_REGIONS)}, or {ALL_REGIONS} (default: {DEFAULT_REGION})",
    )
    tiles.add_argument(
        "--tiles", nargs="+", metavar="ID", help="tile ids (default: all of the region)"
    )
    tiles.add_argument(
        "--seed",
        type=int,
        default=2018,
        metavar="N",
        help="seed of the world (default: %(default)s)",
    )
    add_data_version(parser, tiles, DATA_VERSIONS)
    add = parser.add_argument_group("output and processes").add_argument
    add("--to", type=Path, required=True, metavar="PATH", help="parent folder of the twin")
    add("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if writing fails, 2 for invalid arguments."""
    args = command_parser().parse_args(argv)
    from data.twin.write_twin import make_twin, select_sites

    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    writes_to(args.to, option="--to")
    with bad_arguments(ValueError):
        select_sites(args.seed, args.data_version, args.tiles, args.workers, args.region)
    folder = make_twin(
        args.to,
        seed=args.seed,
        version=args.data_version,
        regions=args.region,
        tile_ids=args.tiles,
        workers=args.workers,
    )
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
