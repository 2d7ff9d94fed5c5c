"""The benchmark's command: search each architecture, repeat the winners over seeds, compare, register.

``python -m tuning.run --model all``
"""

import argparse
import logging
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

ROOT = Path("mlruns")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tuning.run", description=__doc__, argument_default=argparse.SUPPRESS
    )
    what = parser.add_argument_group("what")
    what.add_argument(
        "--model",
        nargs="+",
        metavar="NAME",
        help="architectures, single baselines, baselines or all (default: all)",
    )
    what.add_argument(
        "--data", metavar="twin|PATH", help="synthetic twin or folder (default: twin)"
    )
    what.add_argument(
        "--units", choices=("dB", "linear"), help="of the tiles' files (default: their manifest's)"
    )
    what.add_argument(
        "--split",
        metavar="NAME|FILE",
        help="blocks, seed42, s12ls-ld, blocks:K (every fold), blocks:K/F or a JSON or CSV file "
        "(default: blocks)",
    )
    reads = parser.add_argument_group("what a network reads")
    reads.add_argument(
        "--channels",
        nargs="+",
        metavar="NAME",
        help="s1, s1asc, s1dsc, VV, VH, s2, published, DEM, slope, or single ones (default: s1)",
    )
    reads.add_argument("--steps", help="acquisitions: even, event or all (default: even)")
    reads.add_argument("--timesteps", type=int, help="how many acquisitions (default: preset)")
    reads.add_argument("--norm", help="normalisation: train or published (default: train)")
    reads.add_argument(
        "--augment",
        nargs="+",
        metavar="NAME[=VALUE]",
        help="turn, crop=PX, speckle=DB, jitter=DB, drop=SHARE or none (default: turn)",
    )
    how = parser.add_argument_group("how long")
    how.add_argument("--preset", help="smoke, quick or paper (default: paper on a GPU, else quick)")
    how.add_argument("--trials", type=int, help="search trials per architecture (default: preset)")
    how.add_argument("--seeds", type=int, help="repeat trials per architecture (default: preset)")
    how.add_argument(
        "--stack-seeds",
        nargs="?",
        const=None,
        type=int,
        metavar="N",
        help="train up to N seeds of a winner in one process, all without N, which pays on a GPU "
        "(default: 1); also of a campaign to resume",
    )
    where = parser.add_argument_group("where")
    where.add_argument("--root", type=Path, help=f"output folder (default: {ROOT})")
    where.add_argument("--campaign", help="name of the campaign (default: date, time and preset)")
    where.add_argument(
        "--resume",
        nargs="?",
        const=None,
        metavar="CAMPAIGN",
        help="continue a campaign (default: latest)",
    )
    where.add_argument("--cpus-per-trial", type=float, help="cores of one trial")
    where.add_argument("--gpus-per-trial", type=float, help="fraction of a GPU of one trial")
    where.add_argument(
        "--hang-after",
        type=float,
        metavar="MINUTES",
        help="without an epoch, after which a trial is ended and tried again (default: 60)",
    )
    cluster = parser.add_argument_group("on a cluster (platform/README.md)")
    cluster.add_argument(
        "--address",
        help="Ray cluster to join, also of a campaign to resume (default: RAY_ADDRESS, else a local one)",
    )
    cluster.add_argument(
        "--storage",
        metavar="URI",
        help="what all nodes share, such as s3://BUCKET/FOLDER (default: the output folder)",
    )
    cluster.add_argument(
        "--wait-for-nodes",
        type=float,
        metavar="MINUTES",
        help="that the cluster has to add a node which holds a trial (default: 0)",
    )
    return parser.parse_args(argv)


def _settings(given: dict[str, Any], root: Path) -> Any:
    """Turn the arguments given into settings, and keep them; or load those of the campaign to resume."""
    from data.pack.augmentation import parse_augment
    from data.pack.channels import choose_channels
    from data.splits import store_split
    from data.tiles import ACQUISITIONS
    from tuning.settings.presets import get_preset
    from tuning.settings.settings import (
        PACKS,
        TWIN,
        Settings,
        check_settings,
        choose_models,
        find_unfinished,
        load_settings,
        new_name,
        save_settings,
    )
    from tuning.train.fit import choose_device

    if "resume" in given:
        extra = sorted(set(given) - {"resume", "address", "stack_seeds"})
        if extra:
            raise ValueError(
                "--resume continues a campaign with its own settings, but got "
                f"--{', --'.join(name.replace('_', '-') for name in extra)} as well. Leave them out."
            )
        kept = load_settings(root, given["resume"])
        kept = replace(kept, stack_seeds=given.get("stack_seeds", kept.stack_seeds))
        check_settings(kept)
        address = given.get("address") or os.environ.get("RAY_ADDRESS") or kept.address
        # The cluster may be another one by now, or gone.
        return replace(kept, address=None if address == "local" else address)
    name = given.get("preset") or ("paper" if choose_device().type == "cuda" else "quick")
    preset = get_preset(name)
    defaults: dict[str, Any] = {
        "campaign": new_name(root, f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"),
        "data": TWIN,
        "units": None,
        "split": "blocks",
        "steps": "even",
        "timesteps": ACQUISITIONS if given.get("steps") == "all" else preset.timesteps,
        "norm": "train",
        "trials": preset.trials,
        "seeds": preset.seeds,
        "address": os.environ.get("RAY_ADDRESS"),
    }
    chosen: dict[str, Any] = {
        "preset": name,
        "channels": (channels := choose_channels(given.pop("channels", ["s1"]))),
        "augment": asdict(parse_augment(given.pop("augment", ["turn"]))),
    }
    chosen["models"], chosen["baselines"] = choose_models(given.pop("model", ["all"]), channels)
    if Path(given.get("split", "")).suffix:  # names have none
        given["split"] = store_split(Path(given["split"]), root / PACKS)
    if "://" not in given.get("storage", "://"):
        given["storage"] = str(Path(given["storage"]).resolve())  # nodes have other working folders
    settings = Settings(**(defaults | given | chosen))
    check_settings(settings)
    unfinished = None if "campaign" in given else find_unfinished(root, settings)
    if unfinished is not None and _wants_to_continue(root, unfinished):
        return replace(load_settings(root, unfinished), stack_seeds=settings.stack_seeds)
    save_settings(root, settings)
    return settings


def _wants_to_continue(root: Path, campaign: str) -> bool:
    """Offer to continue a campaign of the same command that was cut off.

    Raises:
        ValueError: If nobody can be asked.
    """
    from tuning.settings.settings import campaign_folder
    from tuning.trial.stage import count_done

    done, begun = count_done(campaign_folder(root, campaign) / "trials")
    found = f"The same command was cut off before: campaign {campaign}, {done} of {begun} begun trials done."
    if sys.stdin.isatty():
        return input(f"{found} Continue it? [Y/n] ").strip().lower() in ("", "y", "yes")
    raise ValueError(
        f"{found} Continue it with --resume {campaign}, or begin another one with --campaign NAME."
    )


def _say_end(outcome: Any, root: Path, campaign: str) -> None:
    from data.tiles.manifest import describe_origin
    from tuning.report.sections import format_ranking
    from tuning.report.write_report import format_pages, report_folder
    from tuning.tracking.client import tracking_uri
    from tuning.tracking.ui_links import ui_command

    if outcome.table is None:
        return
    folder = report_folder(root, campaign)
    kind = describe_origin(outcome.table["data"][0] == "synthetic")
    print(f"\nScores on test, mean ± standard deviation over seeds; {kind} data:")
    print(format_ranking(outcome.table))
    print(f"\nReport:  {folder / 'report.html'}\nTable:   {folder / 'benchmark_master.csv'}")
    print(f"Look at the runs: {ui_command(tracking_uri(root))}\n{format_pages(folder)}")


def _say_if_full(root: Path) -> None:
    """Name what may be behind any other error."""
    from tuning.trial.disk import describe_free_space, is_full

    if root.exists() and is_full(root):
        print(f"error: {describe_free_space(root)}", file=sys.stderr)


def _say_how_to_continue(root: Path, campaign: str) -> None:
    from tuning.settings.settings import campaign_folder
    from tuning.trial.stage import count_done

    done, begun = count_done(campaign_folder(root, campaign) / "trials")
    if begun:
        print(
            f"{done} of {begun} begun trials are done, and all is kept. Continue with: "
            f"python -m tuning.run --resume {campaign} --root {root}",
            file=sys.stderr,
        )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        0 when all that was asked for was done, 1 when something failed, 2 for a bad argument, 130
        when the user interrupted.
    """
    given = vars(_parse(argv))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    root: Path = given.pop("root", ROOT)
    try:
        settings = _settings(given, root)
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
            _say_if_full(root)
        _say_how_to_continue(root, settings.campaign)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        _say_how_to_continue(root, settings.campaign)
        return 130
    _say_end(outcome, root, settings.campaign)
    for sentence in outcome.missing:
        print(f"error: {sentence}", file=sys.stderr)
    if outcome.missing:
        _say_if_full(root)
    return 1 if outcome.missing else 0


if __name__ == "__main__":
    sys.exit(main())
