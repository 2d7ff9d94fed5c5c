"""The benchmark's command: search each architecture, repeat the winners over seeds, compare, register.

``python -m tuning.run --model all``
"""

import logging
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command, run_resumable
from data.command.explain import writes_to
from tuning.own_packages import HOME
from tuning.settings.arguments import command_parser, parse_arguments
from tuning.settings.roots import ROOT

if TYPE_CHECKING:
    from tuning.settings.settings import Settings

__all__ = ["command_parser", "main", "parse_arguments", "settle"]


def _print_results(outcome: Any, root: Path, campaign: str) -> None:
    from data.tiles.manifest import describe_origin
    from tuning.report.terminal import first_page, format_places, format_tables, report_folder
    from tuning.tracking.client import tracking_uri

    if outcome.table is None:
        return
    folder = report_folder(root, campaign)
    origin = describe_origin(outcome.table["data"][0] == "synthetic")
    print(f"\nScores on test, mean ± standard deviation over seeds; {origin} data:")
    print(format_tables(outcome.table, folder))
    print()
    print(format_places(folder / "report.html", tracking_uri(root), first_page(folder)))


def _warn_if_disk_full(root: Path) -> None:
    """Print that the disk is full, which can cause any failed trial."""
    from data.io.disk import describe_free_space, is_full

    if root.exists() and is_full(root):
        print(f"error: {describe_free_space(root)}", file=sys.stderr)


def _print_resume_command(root: Path, campaign: str) -> None:
    from tuning.settings.saved_campaigns import campaign_folder
    from tuning.trial.status import count_finished

    done, started = count_finished(campaign_folder(root, campaign) / "trials")
    if started:
        print(
            f"{done} of {started} started trials are done; nothing is lost. Resume with: "
            f"python -m tuning.run --resume {shlex.quote(campaign)} --root {shlex.quote(str(root))}",
            file=sys.stderr,
        )


def _check_address(options: dict[str, Any]) -> None:
    """Knock at the cluster that a campaign would join, before seconds of imports.

    Raises:
        ConnectionError: If nothing answers there.
    """
    from tuning.cluster.head import check_head

    networks = {file.stem for file in (HOME / "models").glob("[!_]*.py")} | {"all"}
    address = options.get("address") or os.environ.get("RAY_ADDRESS")
    if address in (None, "", "local", "auto") or "resume" in options:
        return
    if any(name in networks or ":" in name for name in options.get("model", ["all"])):
        check_head(address)


def settle(options: dict[str, Any], root: Path) -> "tuple[Settings, bool]":
    """Turn the options of a campaign into its settings, which are saved, or those of the campaign that it continues.

    Returns:
        The settings, and whether a resumed campaign goes on with its own copy of tiles that have changed.

    Raises:
        ValueError: If the options are invalid.
        OSError: If a file or folder that they name cannot be used.
    """
    from tuning.settings.options import settings_from_options, take_keep_pack  # late: loads torch

    keep_pack = take_keep_pack(options)
    if "init" in options:
        from tuning.campaign.initial import take_init  # late, because it loads MLflow

        take_init(options, root)
    return settings_from_options(options, root), keep_pack


@command
def main(argv: list[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        0 if the whole campaign is done, 1 if something failed, 2 for a bad argument, 130 if the user interrupted.
    """
    options = vars(parse_arguments(argv))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    root: Path = options.pop("root", ROOT)
    writes_to(root)
    _check_address(options)
    with bad_arguments():
        settings, keep_pack = settle(options, root)
    from tuning.campaign.together import run_campaign

    def run() -> int:
        outcome = run_campaign(root, settings, keep_pack=keep_pack)
        _print_results(outcome, root, settings.campaign)
        for sentence in outcome.missing:
            print(f"error: {sentence}", file=sys.stderr)
        if outcome.missing:
            _warn_if_disk_full(root)
        return 1 if outcome.missing else 0

    return run_resumable(run, partial(_print_resume_command, root, settings.campaign))


if __name__ == "__main__":
    sys.exit(main())
