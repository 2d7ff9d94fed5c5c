"""`python -m data.twin`: write synthetic tiles."""

import argparse
import logging
import sys
from pathlib import Path

from data.twin.write_twin import _VERSIONS, check_request, make_twin


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 for a wrong request, or 1 for a folder that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m data.twin", description="Write synthetic tiles."
    )
    parser.add_argument("--to", type=Path, required=True, metavar="PATH", help="folder for twins")
    parser.add_argument("--seed", type=int, default=2018, help="default: %(default)s")
    parser.add_argument("--version", default="harmonized", help=" or ".join(_VERSIONS))
    parser.add_argument("--tiles", nargs="+", metavar="ID", help="default: all 290")
    parser.add_argument("--workers", type=int, help="processes; default: one per CPU")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        check_request(args.seed, args.version, args.tiles, args.workers)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    request = {"seed": args.seed, "version": args.version, "tile_ids": args.tiles}
    try:
        print(make_twin(args.to, **request, workers=args.workers))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
