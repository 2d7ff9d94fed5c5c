"""`python -m data.splits`: audit the splits of a folder of tiles."""

import argparse
import json
import sys
from pathlib import Path

from data.command.command import bad_arguments, command
from data.command.explain import CommandError, writes_to
from data.command.parser import CommandParser, make_parser
from data.io.errors import format_error

DEFAULT_MAP = Path("mlruns/splits.png")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, 1 if a tile is unusable or the map cannot be written, 2 for an invalid argument."""
    args = _parse_arguments(argv)
    splits = list(dict.fromkeys(args.split)) if args.split else None
    writes_to(args.map.parent, option="--map")
    from data.splits.audit import audit_splits, audit_to_dict
    from data.splits.audit_map import draw_audit
    from data.splits.audit_text import format_audit
    from data.splits.split_map import save_map

    with bad_arguments(ValueError, FileNotFoundError):
        audit = audit_splits(args.tiles, splits, args.region, progress=sys.stderr.isatty())
    try:
        save_map(draw_audit(audit), args.map)
    except OSError as error:
        raise CommandError(
            f"The map must be writable, but got {format_error(error)}. Choose another file with --map."
        ) from error
    if args.json:
        print(json.dumps(audit_to_dict(audit) | {"map": str(args.map)}, indent=1))
    else:
        print(format_audit(audit), f"Map: {args.map}", sep="\n")
    return 1 if audit.survey.unusable else 0


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "data.splits",
        "Audit splits on a folder of tiles: the size and landslide share of each part, and the val and test tiles that "
        "touch a train tile.",
        example="tiles --split blocks seed42 mine.json --map splits.png",
    )
    add = parser.add_argument_group("tiles and splits").add_argument
    add("tiles", type=Path, metavar="PATH", help="folder that holds s1asc/ and s1dsc/")
    add(
        "--region",
        nargs="+",
        metavar="NAME",
        help="regions to audit, or all (default: hokkaido if the folder has it, else all)",
    )
    add(
        "--split",
        nargs="+",
        metavar="NAME_OR_FILE",
        help="split names, blocks:K or events for all folds, or .json and .csv files (default: blocks and blocks:5, "
        "with Hokkaido its published splits, with several regions events)",
    )
    add = parser.add_argument_group("output").add_argument
    add(
        "--map",
        type=Path,
        default=DEFAULT_MAP,
        metavar="FILE.png",
        help="map to write (default: %(default)s)",
    )
    add("--json", action="store_true", help="print the audit as one JSON document")
    return parser


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = command_parser()
    args = parser.parse_args(argv)
    if args.map.suffix != ".png":
        parser.error(f"A map must end in .png, but got {args.map}.")
    return args


if __name__ == "__main__":
    sys.exit(main())
