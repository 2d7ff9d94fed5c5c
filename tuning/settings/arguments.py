"""The options of ``python -m tuning.run``; imports nothing heavy, so that ``--help`` answers at once."""

import argparse
from pathlib import Path

from data.command.parser import CommandParser, make_parser
from tuning.settings.roots import ROOT

DESCRIPTION = (
    "Search each architecture, repeat the winners over seeds, compare them, and register the best."
)


def command_parser() -> CommandParser:
    """Return the parser of ``python -m tuning.run``; only the options that the user gave become attributes."""
    parser = make_parser(
        "tuning.run",
        DESCRIPTION,
        example="--model all\n--model unet utae --preset smoke --root trial",
        notes="docs/options.md explains each option. Exit code: 0 only if everything that was asked for was done.",
        argument_default=argparse.SUPPRESS,
    )
    add_common_options(parser)
    add = parser.add_argument_group("campaign").add_argument
    add(
        "--search",
        metavar="once|per-fold",
        help="with several folds, search hyperparameters on the first fold or on each (default: per-fold in paper)",
    )
    add("--root", type=Path, metavar="FOLDER", help=f"output folder (default: {ROOT})")
    add("--campaign", metavar="NAME", help="name of the campaign (default: date, time and preset)")
    add(
        "--resume",
        nargs="?",
        const=None,
        metavar="NAME",
        help="continue a campaign with its own settings (default: the latest campaign)",
    )
    add(
        "--keep-pack",
        action="store_true",
        help="with --resume: go on with the campaign's own copy of tiles that have changed since",
    )
    return parser


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line of ``python -m tuning.run``."""
    return command_parser().parse_args(argv)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that a single campaign and all campaigns of a matrix have."""
    add = parser.add_argument_group("models and data").add_argument
    add(
        "--model",
        nargs="+",
        metavar="NAME",
        help="architectures, single baselines, 'baselines', 'all', 'field' (all with every network), and networks of your own as "
        "package.module:Class or path/to/file.py:Class (default: all)",
    )
    add(
        "--data",
        metavar="twin|PATH",
        help="the synthetic twin, or a tile folder (default: twin)",
    )
    add(
        "--units",
        choices=("dB", "linear"),
        help="unit of the backscatter in the tile files (default: as in the manifest)",
    )
    add(
        "--region",
        nargs="+",
        metavar="NAME",
        help="regions of the data, or 'all' (default: hokkaido)",
    )
    add(
        "--event",
        nargs="+",
        metavar="[REGION=]TIME",
        help="time of the event in UTC, such as 2018-09-05T18:08 (default: that of the files, else of the catalogue)",
    )
    add(
        "--split",
        metavar="NAME|FILE",
        help="blocks, seed42, s12ls-ld, blocks:K (all K folds), blocks:K/F (fold F), events (hold out one region after "
        "the other), events:REGION, or a JSON or CSV file (default: blocks)",
    )
    add(
        "--shots",
        type=int,
        metavar="0|1|5|20",
        help="labelled tiles of the held-out region in train, with --split events (default: 0)",
    )
    add = parser.add_argument_group("network input").add_argument
    add(
        "--channels",
        nargs="+",
        metavar="NAME",
        help="s1, s1asc, s1dsc, VV, VH, s2, published, DEM, slope, or single channels (default: s1)",
    )
    add(
        "--steps",
        help="choice of acquisitions: even, event, common or all (default: event; common, of real tiles)",
    )
    add(
        "--timesteps",
        type=int,
        metavar="N",
        help="number of acquisitions (default: as in the preset)",
    )
    add(
        "--window",
        metavar="pre:K/post:K",
        help="instead of the two: so many acquisitions before the event and so many after it, each a number or all, such as "
        "pre:all/post:2",
    )
    add("--norm", help="normalisation statistics: train or published (default: train)")
    add(
        "--augment",
        nargs="+",
        metavar="NAME[=VALUE]",
        help="augmentations of training tiles: turn, crop=PIXELS, speckle=DB, jitter=DB, drop=FRACTION, "
        "cut=FRACTION (series cut soon after the event), or none (default: turn cut=0.5)",
    )
    add(
        "--allow-dates",
        action="store_true",
        help="let networks read the dates of acquisitions even where these tell annotated tiles from others",
    )
    add = parser.add_argument_group("training").add_argument
    add(
        "--loss",
        metavar="NAME",
        help="training loss: bce_dice, focal_dice, tversky, focal_tversky or lovasz (default: bce_dice)",
    )
    add(
        "--train-share",
        metavar="[compact:]SHARE",
        help="share of the train tiles that are used, scattered over the train area or in compact areas; also for baselines that "
        "learn (default: 1)",
    )
    add(
        "--label-noise",
        nargs="+",
        metavar="KIND=VALUE",
        help="errors made in the labels of train tiles alone: drop=SHARE of the landslides, shift=PIXELS of each, dilate=PIXELS "
        "(negative shrinks), and seed=N of what is drawn; also for baselines that learn (default: none)",
    )
    add(
        "--init",
        metavar="random|FILE|MODEL",
        help="weights to start from: random, or those of a trained network, a trial's best.pt, a model's weights.safetensors or a "
        "registered model such as hokkaido-unet@champion, whose architecture alone is trained (default: random)",
    )
    add(
        "--replay",
        action="store_true",
        help="also measure every network and baseline on each day after the event that brings an acquisition, as the map of that "
        "day would be",
    )
    add = parser.add_argument_group("length of the campaign").add_argument
    add("--preset", help="smoke, quick or paper (default: paper on a GPU, else quick)")
    add(
        "--trials",
        type=int,
        metavar="N",
        help="search trials of each architecture (default: as in the preset)",
    )
    add(
        "--recipe",
        metavar="searched|published",
        help="search hyperparameters, or train each network with its published arguments and the training settings of the data "
        "set's authors (default: searched)",
    )
    add(
        "--baseline-trials",
        type=int,
        metavar="N",
        help="samples that each baseline's search on val tries; 1 takes its untuned values (default: as many as --trials)",
    )
    add(
        "--seeds",
        type=int,
        metavar="N",
        help="repeat trials of each architecture, one per seed (default: as in the preset)",
    )
    add = parser.add_argument_group("comparison").add_argument
    add(
        "--margin",
        type=float,
        metavar="AP",
        help="difference in average precision below which two models count as equivalent (default: 0.02)",
    )
    add(
        "--block-tiles",
        type=int,
        metavar="N",
        help="edge of a spatial block in tiles; blocks of test tiles are resampled together (default: 3)",
    )
    add(
        "--mmu",
        type=float,
        metavar="M2",
        help="minimum mapping unit: found and reference objects below this area in m² are ignored (default: 0)",
    )
    add = parser.add_argument_group("resources").add_argument
    add(
        "--cpus-per-trial",
        type=float,
        metavar="CORES",
        help="CPU cores of each trial (default: an equal share)",
    )
    add(
        "--gpus-per-trial",
        type=float,
        metavar="FRACTION",
        help="fraction of a GPU for each trial (default: measured)",
    )
    add(
        "--stack-seeds",
        nargs="?",
        const=None,
        type=int,
        metavar="N",
        help="train up to N seeds of a winner in one process, which is faster on a GPU; without N, all seeds "
        "(default: 1); also valid with --resume",
    )
    add(
        "--hang-after",
        type=float,
        metavar="MINUTES",
        help="stop and retry a trial that finishes no epoch in this time (default: 60)",
    )
    add = parser.add_argument_group("cluster (platform/README.md)").add_argument
    add(
        "--address",
        help="Ray cluster to join, or 'local'; also valid with --resume (default: RAY_ADDRESS if set, else a local Ray)",
    )
    add(
        "--storage",
        metavar="URI",
        help="storage that all nodes share, such as s3://BUCKET/FOLDER (default: the output folder)",
    )
    add(
        "--wait-for-nodes",
        type=float,
        metavar="MINUTES",
        help="time to wait for the cluster to add a node that fits a trial (default: 0)",
    )
