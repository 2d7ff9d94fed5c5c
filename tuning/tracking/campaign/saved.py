"""What a campaign's folder keeps for MLflow, so that its trials can be sent at any time without its tiles."""

from dataclasses import asdict
from pathlib import Path

from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.folder import read_optional_json, write_json

_CONTEXT = "context.json"  # file of a campaign's folder


def write_context(campaign: Path, identity: str, sender: MLflowSender) -> None:
    """Write what :func:`load_sender` needs to send the campaign's trials without its tiles."""
    content = {"id": identity, "context": asdict(sender.context), "data": asdict(sender.data)}
    write_json(campaign / _CONTEXT, content)


def read_identity(campaign: Path) -> str | None:
    """Read the id that distinguishes campaigns of one name; None for a new campaign."""
    content = read_optional_json(campaign / _CONTEXT)
    return None if content is None else str(content["id"])


def load_sender(campaign: Path) -> MLflowSender:
    """Load a sender from what :func:`write_context` wrote.

    Raises:
        ValueError: If the folder is not a campaign's, or its file is damaged.
    """
    try:
        content = read_optional_json(campaign / _CONTEXT)
        context, data = CampaignContext(**content["context"]), DataRecord(**content["data"])
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"A campaign's folder must hold {_CONTEXT} and trials/, but {campaign} does not. "
            "Choose a folder such as mlruns/campaigns/NAME."
        ) from error
    return MLflowSender(campaign.parents[1], context, data)
