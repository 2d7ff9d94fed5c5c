"""`python -m tuning.worlds`: repeat a cheap comparison over many twin worlds, and say how often verdicts were right."""

import logging
import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.choices import DEFAULT_REGION, TWIN_REGIONS
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, make_parser

MODELS = ("log_ratio_vv_asc", "log_ratio_vv_dsc", "log_ratio_vv", "logistic_regression")
FIRST, COUNT = 100, 20


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.worlds",
        "Repeat a cheap comparison over many twin worlds, and say how often verdicts were right.",
        example="--worlds 20 --jobs 2",
    )
    add = parser.add_argument_group("worlds").add_argument
    add(
        "--worlds",
        type=int,
        default=COUNT,
        metavar="N",
        help="number of worlds (default: %(default)s)",
    )
    add(
        "--first",
        type=int,
        default=FIRST,
        metavar="SEED",
        help="the first world's seed (default: %(default)s)",
    )
    add(
        "--region",
        default=DEFAULT_REGION,
        metavar="|".join(TWIN_REGIONS),
        help="region of the twin (default: %(default)s)",
    )
    add(
        "--tiles",
        type=int,
        metavar="N",
        help="keep N tiles of each part, for a trial (default: all)",
    )
    add = parser.add_argument_group("comparison").add_argument
    add(
        "--models",
        nargs="+",
        default=list(MODELS),
        metavar="KEY",
        help=f"baselines (default: {' '.join(MODELS)})",
    )
    add(
        "--margin",
        type=float,
        metavar="AP",
        help="difference below which two models are equivalent (default: 0.02)",
    )
    add(
        "--block-tiles",
        type=int,
        metavar="N",
        help="edge of a spatial block in tiles (default: 3)",
    )
    add = parser.add_argument_group("output and processes").add_argument
    add(
        "--out",
        type=Path,
        default=Path("mlruns/worlds"),
        metavar="PATH",
        help="folder; worlds in it are not measured again (default: %(default)s)",
    )
    add("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if measuring fails, 2 for invalid arguments."""
    args = command_parser().parse_args(argv)
    from data.twin.write_twin import select_sites
    from tuning.statistics.blocks import BLOCK_TILES
    from tuning.statistics.clusters import MIN_EVENTS
    from tuning.statistics.family import MARGIN
    from tuning.worlds import measure, world
    from tuning.worlds.judge import Rules
    from tuning.worlds.summary import Judge, write_summary

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    seeds = range(args.first, args.first + args.worlds)
    rules = Rules(
        MARGIN if args.margin is None else args.margin,
        BLOCK_TILES if args.block_tiles is None else args.block_tiles,
        MIN_EVENTS,
    )
    writes_to(args.out, option="--out")
    with bad_arguments(ValueError):
        measure.check_counts(args.worlds, args.jobs, args.tiles)
        models = world.check_models(args.models)
        split = world.choose_tiles(args.region, models, args.tiles)
        for seed in (seeds[0], seeds[-1]):
            select_sites(seed, "harmonized")
        measure.lock_settings(args.out, models, args.region, split)
        judge = Judge(models, rules)
    measure.measure_missing(args.out, seeds, split, models, args.jobs)
    for seed in seeds:
        judge.add(world.load_world(measure.world_file(args.out, seed), seed, models))
    print(write_summary(judge, args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
