"""Columns that say where a run comes from: tags of a repeat run."""

from collections.abc import Mapping
from typing import Any

from data.tiles.regions import DEFAULT_REGION

# Tags of a repeat run that are copied into tables.
PROVENANCE = (
    *("campaign", "preset", "split", "split_hash", "data_hash", "data", "regions", "channels"),
    *("acquisitions", "git_commit", "training"),
)


def read_provenance(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the tags of a repeat run that are copied into tables; None for a missing one.

    Runs of earlier releases, which read Hokkaido alone and trained as usual, have no tags ``regions`` and ``training``.
    """
    found: dict[str, Any] = {name: tags.get(name) for name in PROVENANCE}
    found["regions"] = tags.get("regions", DEFAULT_REGION)
    if "training" not in tags:
        from tuning.trial.variants import USUAL

        found["training"] = USUAL
    return found
