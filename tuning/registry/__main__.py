"""The registry's commands: every version in a table, a promotion by hand, and the way back."""

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from data.io.errors import unknown_name
from data.io.safe_json import show_value
from models import list_models, paper_name
from tuning.registry import aliases as promotion
from tuning.registry.model_card import GATE_TAG
from tuning.registry.register import apply_gate
from tuning.tracking.client import SQLITE, connect, database_file, tracking_uri
from tuning.tracking.errors import end_command

HEADINGS = (
    *("model", "version", "aliases", "val AP", "test AP", "data", "split", "campaign", "gate"),
    "date",
)


_MOST_CHARS = 100  # of a tag in the table


def find_model(client: MlflowClient, word: str) -> str:
    """Return the registered model that is called so: by registry key, paper name or registered name.

    Raises:
        ValueError: If there is none, with the nearest one and the list.
    """
    names: dict[str, str] = {}
    titles: dict[str, str] = {}
    for name in promotion.list_registered_models(client):
        key = name.removeprefix(promotion.PREFIX).replace("-", "_")
        names |= {key: name, name: name}
        titles |= {paper_name(key): name} if key in list_models() else {}
    every = names | titles
    if word in every:
        return every[word]
    if not every:
        raise ValueError(
            f"A registered model is needed, but got {word!r} and the registry has none. "
            "Run `python -m tuning.run`."
        )
    raise ValueError(unknown_name("registered model", word, every))


def find_version(client: MlflowClient, name: str, word: str) -> int:
    """Return the number of a version.

    Raises:
        ValueError: If there is no such version, with the list.
    """
    there = [str(version.version) for version in promotion.list_model_versions(client, name)]
    if word not in there:
        raise ValueError(unknown_name(f"version of {name}", word, there))
    return int(word)


def format_versions(client: MlflowClient) -> str:
    """Format a table of every registered version, by model and number."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    for name in promotion.list_registered_models(client):
        held = client.get_registered_model(name).aliases.items()
        for version in promotion.list_model_versions(client, name):
            aliases = sorted(alias for alias, of in held if int(of) == int(version.version))
            rows.append(_row(version, aliases))
    if len(rows) == 1:
        return "No model is registered. Run `python -m tuning.run`."
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _row(version: ModelVersion, aliases: list[str]) -> tuple[str, ...]:
    tags = version.tags
    made = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    area = _short(tags.get("pr_auc_mean"))
    if "pr_auc_low" in tags:
        area += f" ({_short(tags['pr_auc_low'])} to {_short(tags['pr_auc_high'])})"
    return (
        version.name,
        str(version.version),
        ", ".join(aliases) or "-",
        _short(tags.get("val_pr_auc")),
        area,
        *(_plain(tags.get(name, "-")) for name in ("data", "split", "campaign")),
        _plain(tags.get(GATE_TAG, "not tried")),
        f"{made:%Y-%m-%d %H:%M}",
    )


def _short(number: str | None) -> str:
    if number is None:
        return "-"
    try:
        return f"{float(number):.3f}"
    except ValueError:
        return _plain(number)


def _plain(text: str) -> str:
    """Return a tag for the terminal: one short line, no character of which acts."""
    return (
        text if text.isprintable() and len(text) <= _MOST_CHARS else show_value(text)[:_MOST_CHARS]
    )


def promote(client: MlflowClient, name: str, number: int) -> str:
    """Make a version the champion of its model; the former champion becomes challenger.

    Returns:
        One sentence that says what is so now.

    Raises:
        FileNotFoundError: If its gate was not tried and cannot be.
        ValueError: If it failed its gate.
    """
    version = apply_gate(client, name, number)
    if not promotion.has_passed_gate(version):
        raise ValueError(
            f"A champion must have passed its gate, but {name} version {number} has "
            f"{version.tags[GATE_TAG]!r}. Its description says why; promote another version."
        )
    former = promotion.find_version_by_alias(client, name, promotion.CHAMPION)
    if former is not None and int(former.version) == number:
        former = None
    promotion.set_champion(client, version, "promote", former)
    promotion.update_best_alias(client)
    return f"{name} version {number} is the champion now.{_say_challenger(client, name)}"


def roll_back(client: MlflowClient, name: str) -> str:
    """Make the champion before the present one the champion again; return one sentence.

    Raises:
        ValueError: If there was none.
    """
    held, now = promotion.restore_previous_champion(client, name)
    promotion.update_best_alias(client)
    after = "" if held is None else f", after version {held}"
    return f"{name} version {now} is the champion again{after}.{_say_challenger(client, name)}"


def _say_challenger(client: MlflowClient, name: str) -> str:
    found = promotion.find_version_by_alias(client, name, promotion.CHALLENGER)
    return "" if found is None else f" Version {found.version} is its challenger."


def _parse(argv: list[str] | None) -> argparse.Namespace:
    root = argparse.ArgumentParser(add_help=False)
    root.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    parser = argparse.ArgumentParser("python -m tuning.registry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", parents=[root], help="every version with its scores and aliases")
    for name, does in (
        ("promote", "make a version the champion"),
        ("rollback", "make the champion before this one the champion again"),
    ):
        command = commands.add_parser(name, parents=[root], help=does)
        command.add_argument("model", help="such as unet, VanillaUNet or hokkaido-unet")
        if name == "promote":
            command.add_argument("version", help="number of the version")
    return parser.parse_args(argv)


def open_registry(root: Path) -> MlflowClient:
    """Open the tracker; unlike a campaign, a look makes no database."""
    uri = tracking_uri(root)
    if uri.startswith(SQLITE) and database_file(uri) is None:
        raise FileNotFoundError(
            f"A registry lies in a campaign's database, but there is no {uri.removeprefix(SQLITE)}. "
            "Run `python -m tuning.run`, or name the folder with --root."
        )
    return connect(root)[0]


def _run(args: argparse.Namespace) -> int:
    print(_answer(args))
    return 0


def _answer(args: argparse.Namespace) -> str:
    client = open_registry(args.root)
    if args.command == "list":
        return format_versions(client)
    name = find_model(client, args.model)
    if args.command == "promote":
        return promote(client, name, find_version(client, name, args.version))
    return roll_back(client, name)


def main(argv: list[str] | None = None) -> int:
    """List versions, promote one or roll back; return the exit code."""
    args = _parse(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return end_command(lambda: _run(args))


if __name__ == "__main__":
    sys.exit(main())
