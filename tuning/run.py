"""The benchmark's command: search each architecture, repeat the winners over seeds, compare, register.

``python -m tuning.run --model all``
"""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

ROOT = Path("mlruns")
DESCRIPTION = (
    "Search each architecture, repeat the winners over seeds, compare them, and register the best."
)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; only the options that the user gave become attributes."""
    parser = argparse.ArgumentParser(
        "python -m tuning.run", description=DESCRIPTION, argument_default=argparse.SUPPRESS
    )
    add = parser.add_argument_group("models and data").add_argument
    add(
        "--model",
        nargs="+",
        metavar="NAME",
        help="architectures, single baselines, 'baselines' or 'all' (default: all)",
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
    add("--steps", help="choice of acquisitions: even, event or all (default: even)")
    add(
        "--timesteps",
        type=int,
        metavar="N",
        help="number of acquisitions (default: as in the preset)",
    )
    add("--norm", help="normalisation statistics: train or published (default: train)")
    add(
        "--augment",
        nargs="+",
        metavar="NAME[=VALUE]",
        help="augmentations of training tiles: turn, crop=PIXELS, speckle=DB, jitter=DB, drop=FRACTION, or none "
        "(default: turn)",
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
        "--seeds",
        type=int,
        metavar="N",
        help="repeat trials of each architecture, one per seed (default: as in the preset)",
    )
    add = parser.add_argument_group("campaign").add_argument
    add("--root", type=Path, metavar="FOLDER", help=f"output folder (default: {ROOT})")
    add("--campaign", metavar="NAME", help="name of the campaign (default: date, time and preset)")
    add(
        "--resume",
        nargs="?",
        const=None,
        metavar="NAME",
        help="continue a campaign with its own settings (default: the latest campaign)",
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
    return parser.parse_args(argv)


def _print_results(outcome: Any, root: Path, campaign: str) -> None:
    from data.tiles.manifest import describe_origin
    from tuning.report.write_report import format_pages, format_tables, report_folder
    from tuning.tracking.client import tracking_uri
    from tuning.tracking.ui_links import ui_command

    if outcome.table is None:
        return
    folder = report_folder(root, campaign)
    origin = describe_origin(outcome.table["data"][0] == "synthetic")
    print(f"\nScores on test, mean ± standard deviation over seeds; {origin} data:")
    print(format_tables(outcome.table, folder))
    print(f"\nReport:  {folder / 'report.html'}\nTable:   {folder / 'benchmark_master.csv'}")
    print(f"Browse the runs: {ui_command(tracking_uri(root))}\n{format_pages(folder)}")


def _warn_if_disk_full(root: Path) -> None:
    """Print that the disk is full, which can cause any other error."""
    from tuning.trial.disk import describe_free_space, is_full

    if root.exists() and is_full(root):
        print(f"error: {describe_free_space(root)}", file=sys.stderr)


def _print_resume_command(root: Path, campaign: str) -> None:
    from tuning.settings.settings import campaign_folder
    from tuning.trial.status import count_finished

    done, started = count_finished(campaign_folder(root, campaign) / "trials")
    if started:
        print(
            f"{done} of {started} started trials are done; nothing is lost. Resume with: "
            f"python -m tuning.run --resume {campaign} --root {root}",
            file=sys.stderr,
        )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        0 if the whole campaign is done, 1 if something failed, 2 for a bad argument, 130 if the user interrupted.
    """
    options = vars(parse_arguments(argv))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    root: Path = options.pop("root", ROOT)
    from tuning.settings.options import (
        settings_from_options,  # after --help, because it loads torch
    )

    try:
        settings = settings_from_options(options, root)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from tuning.campaign.campaign import run_campaign
    from tuning.trial.disk import FullDiskError

    try:
        outcome = run_campaign(root, settings)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        if not isinstance(error, FullDiskError):
            _warn_if_disk_full(root)
        _print_resume_command(root, settings.campaign)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        _print_resume_command(root, settings.campaign)
        return 130
    _print_results(outcome, root, settings.campaign)
    for sentence in outcome.missing:
        print(f"error: {sentence}", file=sys.stderr)
    if outcome.missing:
        _warn_if_disk_full(root)
    return 1 if outcome.missing else 0


if __name__ == "__main__":
    sys.exit(main())
