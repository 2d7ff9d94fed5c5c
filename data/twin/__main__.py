"""`python -m data.twin`: write synthetic tiles."""

import argparse
import logging
import sys
from pathlib import Path

from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.tiles.regions import ALL_REGIONS, DEFAULT_REGION
from data.twin.regions import REGIONS
from data.twin.write_twin import VERSIONS, make_twin, select_sites


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if writing fails, 2 for invalid arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m data.twin",
        description="Write synthetic tiles in the format of the real ones, and print their folder.",
    )
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="PATH",
        help="parent folder of the twin",
    )
    parser.add_argument("--seed", type=int, default=2018, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--version",
        default="harmonized",
        metavar="|".join(VERSIONS),
        help="harmonized: backscatter in dB (default); raw: linear power",
    )
    parser.add_argument(
        "--region",
        nargs="+",
        default=[DEFAULT_REGION],
        metavar="NAME",
        help=f"one or more of {', '.join(REGIONS)}, or {ALL_REGIONS}; default: {DEFAULT_REGION}",
    )
    parser.add_argument(
        "--tiles", nargs="+", metavar="ID", help="tile ids; default: all of the region"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="number of processes; default: one per core"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    writes_to(args.to)
    with bad_arguments(ValueError):
        select_sites(args.seed, args.version, args.tiles, args.workers, args.region)
    folder = make_twin(
        args.to,
        seed=args.seed,
        version=args.version,
        regions=args.region,
        tile_ids=args.tiles,
        workers=args.workers,
    )
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
