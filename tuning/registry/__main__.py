"""Registered models: list all versions, promote one to champion, or roll a promotion back.

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
from data.io.errors import unknown_name
from models import list_models, paper_name
from tuning.registry import aliases
from tuning.registry.comparable import make_printable
from tuning.registry.model_card import GATE_TAG, format_gate
from tuning.registry.names import list_registered_models, split_name
from tuning.registry.register import apply_gate
from tuning.store.database import SQLITE
from tuning.store.lease import lock_registry
from tuning.tracking.client import check_writable, connect, database_file, tracking_uri

HEADINGS = (
    *("model", "version", "aliases", "val AP", "test AP", "data", "split", "campaign", "gate"),
    "date",
)


def find_model(client: MlflowClient, text: str) -> str:
    """Return the name of a registered model.

    Args:
        client: MLflow client.
        text: Registered name (``hokkaido-unet``); or, where one region alone has it, architecture (``unet``) or name
            in tables (``VanillaUNet``).

    Raises:
        ValueError: If there is no such model, the message lists all; or if several regions have it.
    """
    names = list_registered_models(client)
    choices: dict[str, list[str]] = {}
    for name in names:
        key = split_name(name)[1]
        for word in (key, *([paper_name(key)] if key in list_models() else [])):
            choices.setdefault(word, []).append(name)
    choices |= {name: [name] for name in names}
    if len(found := choices.get(text, [])) > 1:
        raise ValueError(
            f"A model that several regions have must be named with its region, but got {text!r}, which stands for "
            f"{' and '.join(found)}. Choose one of them."
        )
    if found:
        return found[0]
    if not choices:
        raise ValueError(
            f"The registry must have a model, but got {text!r} and the registry is empty. "
            "Run `python -m tuning.run`."
        )
    raise ValueError(unknown_name("registered model", text, choices))


def find_version(client: MlflowClient, name: str, text: str) -> int:
    """Return the number of an existing version.

    Raises:
        ValueError: If there is no such version; the message lists all.
    """
    numbers = [str(version.version) for version in aliases.list_model_versions(client, name)]
    if text not in numbers:
        raise ValueError(unknown_name(f"version of {name}", text, numbers))
    return int(text)


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
    return parser.parse_args(argv)


def open_registry(root: Path) -> MlflowClient:
    """Open the tracker's registry as :func:`open_tracker` does; return the client."""
    return open_tracker(root)[0]


def open_tracker(root: Path) -> tuple[MlflowClient, str]:
    """Open the tracker without creating a database; return the client and the experiment's id.

    Raises:
        FileNotFoundError: If there is no database.
    """
    uri = tracking_uri(root)
    if uri.startswith(SQLITE) and database_file(uri) is None:
        raise FileNotFoundError(
            f"The registry is in a campaign's database, but there is no {uri.removeprefix(SQLITE)}. "
            "Run `python -m tuning.run`, or choose the output folder with --root."
        )
    return connect(root)


def _run(args: argparse.Namespace) -> int:
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
    """List versions, promote one or roll back; return the exit code."""
    args = _parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    writes_to(args.root)
    return _run(args)


if __name__ == "__main__":
    sys.exit(main())
