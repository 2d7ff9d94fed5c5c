"""What `python -m tuning.registry list`, `promote` and `rollback` do; each returns its text for the terminal."""

from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from tuning.registry import aliases
from tuning.registry.comparable import make_printable
from tuning.registry.model_card import GATE_TAG, describe_gate
from tuning.registry.names import list_registered_models
from tuning.registry.register import apply_gate

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
        make_printable(describe_gate(tags)),
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
