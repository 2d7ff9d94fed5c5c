"""Registered models: list, promote to champion, roll back; export as ONNX, publish on the Hugging Face hub, fetch.

Nothing is ever deleted.
"""

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

import tuning.own_packages  # noqa: F401 - first
from data.command.command import command
from data.command.explain import writes_to
from tuning.registry import aliases
from tuning.registry.comparable import make_printable
from tuning.registry.model_card import GATE_TAG, format_gate
from tuning.registry.names import list_registered_models
from tuning.registry.register import apply_gate
from tuning.registry.resolve import find_model, find_version, open_tracker
from tuning.registry.share.commands import COMMANDS, add_commands
from tuning.store.lease import lock_registry
from tuning.tracking.client import check_writable

HEADINGS = (
    *("model", "version", "aliases", "val AP", "test AP", "data", "split", "campaign", "gate"),
    "date",
)


def format_versions(client: MlflowClient) -> str:
    """Format a table of all registered versions, sorted by model and number."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    for name in list_registered_models(client):
        by_alias = client.get_registered_model(name).aliases
        for version in aliases.list_model_versions(client, name):
            number = int(version.version)
            own = sorted(alias for alias, other in by_alias.items() if int(other) == number)
            rows.append(_make_row(version, own))
    if len(rows) == 1:
        return "No model is registered. Run `python -m tuning.run`."
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _make_row(version: ModelVersion, own_aliases: list[str]) -> tuple[str, ...]:
    tags = version.tags
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    test_ap = _format_number(tags.get("pr_auc_mean"))
    if "pr_auc_low" in tags:
        low, high = (_format_number(tags.get(f"pr_auc_{end}")) for end in ("low", "high"))
        test_ap += f" ({low} to {high})"
    return (
        version.name,
        str(version.version),
        ", ".join(own_aliases) or "-",
        _format_number(tags.get("val_pr_auc")),
        test_ap,
        *(make_printable(tags.get(name, "-")) for name in ("data", "split", "campaign")),
        make_printable(format_gate(tags)),
        f"{created:%Y-%m-%d %H:%M}",
    )


def _format_number(number: str | None) -> str:
    if number is None:
        return "-"
    try:
        return f"{float(number):.3f}"
    except ValueError:
        return make_printable(number)


def promote(client: MlflowClient, name: str, number: int) -> str:
    """Make a version the champion of its model; the former champion becomes challenger.

    Returns:
        A sentence for the terminal.

    Raises:
        FileNotFoundError: If its gate has not run and the files that the gate needs are missing.
        ValueError: If it failed its gate.
    """
    version = apply_gate(client, name, number)
    if not aliases.has_passed_gate(version):
        raise ValueError(
            f"A champion must have passed its gate, but {name} version {number} has "
            f"{version.tags[GATE_TAG]!r}. Its description in MLflow has the reason; promote another version."
        )
    former = aliases.find_version_by_alias(client, name, aliases.CHAMPION)
    if former is not None and int(former.version) == number:
        former = None
    aliases.set_champion(client, version, "promote", former)
    aliases.update_best_alias(client)
    return f"{name} version {number} is the champion now.{_format_challenger(client, name)}"


def roll_back(client: MlflowClient, name: str) -> str:
    """Make the previous champion the champion again; return a sentence for the terminal.

    Raises:
        ValueError: If there is no previous champion.
    """
    former, restored = aliases.restore_previous_champion(client, name)
    aliases.update_best_alias(client)
    after = "" if former is None else f", after version {former}"
    challenger = _format_challenger(client, name)
    return f"{name} version {restored} is the champion again{after}.{challenger}"


def _format_challenger(client: MlflowClient, name: str) -> str:
    version = aliases.find_version_by_alias(client, name, aliases.CHALLENGER)
    return "" if version is None else f" Version {version.version} is its challenger."


def _parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    root = argparse.ArgumentParser(add_help=False)
    root.add_argument(
        "--root",
        type=Path,
        default=Path("mlruns"),
        help="output folder of the campaigns (default: mlruns)",
    )
    parser = argparse.ArgumentParser("python -m tuning.registry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", parents=[root], help="list all versions with scores and aliases")
    for name, summary in (
        ("promote", "make a version the champion"),
        ("rollback", "make the previous champion the champion again"),
    ):
        command = commands.add_parser(name, parents=[root], help=summary)
        command.add_argument("model", help="for example unet, VanillaUNet or hokkaido-unet")
        if name == "promote":
            command.add_argument("version", help="number of the version, as `list` shows it")
    add_commands(commands, root)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> int:
    if args.command in COMMANDS:
        print(COMMANDS[args.command](args))
        return 0
    client, experiment_id = open_tracker(args.root)
    if args.command == "list":
        print(format_versions(client))
        return 0
    check_writable(client, args.root)
    with lock_registry(client, experiment_id):
        name = find_model(client, args.model)
        if args.command == "promote":
            print(promote(client, name, find_version(client, name, args.version)))
        else:
            print(roll_back(client, name))
    return 0


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    args = _parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    writes_to(args.root)
    return _run(args)


if __name__ == "__main__":
    sys.exit(main())
