"""Which registered versions compete: those that learnt from the same data, split, channels, acquisitions and regions.

Val average precision depends on all of them: a split whose val tiles touch train tiles, an easier region or a further date
raises it without a better network. So a version that differs in one of them never takes an alias by its score.
"""

from collections.abc import Mapping

from mlflow.entities.model_registry import ModelVersion

from data.io.safe_json import refused_error, show_value
from tuning.registry.names import REGIONS_TAG

# What two versions must share, and the tags that hold it.
FACTS = {
    "data": ("data_hash",),
    "split": ("split", "split_hash"),
    "channels": ("channels",),
    "acquisitions": ("acquisitions",),
    "regions": (REGIONS_TAG,),
}
_PRESETS = ("smoke", "quick", "paper")  # shortest first
_MAX_CHARS = 100  # of a tag in a sentence or table


def version_rank(tags: Mapping[str, str], score: str = "val_pr_auc") -> tuple[int, float]:
    """Return a sort key of comparable versions, higher is better: longer preset first, then val AP.

    Raises:
        ValueError: If the tag *score* is not a number.
    """
    preset = tags.get("preset", "")
    length = _PRESETS.index(preset) if preset in _PRESETS else -1
    try:
        return length, float(tags.get(score, "-1"))
    except ValueError as error:
        rule, remedy = f"The tag {score} must be a number", "Correct the tag in MLflow."
        raise refused_error(
            rule, show_value(tags[score]), "a registered version", remedy
        ) from error


def explain_incomparable(version: ModelVersion, other: ModelVersion) -> str:
    """Return why the val AP of two versions cannot be compared, as a sentence; nothing if it can.

    A version that lacks one of the tags, because an earlier release registered it, is comparable with none.

    Args:
        version: A version.
        other: The version that it would be compared with, of the same model or of another architecture.
    """
    for one in (version, other):
        if missing := [tag for tags in FACTS.values() for tag in tags if tag not in one.tags]:
            return (
                "Val AP can be compared only where data, split, channels, acquisitions and regions are known, but "
                f"{_name(one)} has no tag {', '.join(missing)}."
            )
    different = [
        fact
        for fact, tags in FACTS.items()
        if any(version.tags[tag] != other.tags[tag] for tag in tags)
    ]
    if not different:
        return ""
    return (
        f"Val AP of different {_join(different)} cannot be compared: {_name(version)} was measured on "
        f"{_describe(version, different)}; {_name(other)} on {_describe(other, different)}."
    )


def _name(version: ModelVersion) -> str:
    return f"{version.name} version {version.version}"


def _join(facts: list[str]) -> str:
    plural = [{"split": "splits"}.get(fact, fact) for fact in facts]
    return plural[0] if len(plural) == 1 else f"{', '.join(plural[:-1])} and {plural[-1]}"


def _describe(version: ModelVersion, facts: list[str]) -> str:
    """Return the values of facts, such as ``split blocks (0a1b2c3d4e5f), regions hokkaido``."""
    words = []
    for fact in facts:
        first, *hashes = (make_printable(version.tags[tag]) for tag in FACTS[fact])
        words.append(f"{fact} {first}" + (f" ({hashes[0]})" if hashes else ""))
    return ", ".join(words)


def make_printable(text: str) -> str:
    """Return a tag as one short line without control characters."""
    return text if text.isprintable() and len(text) <= _MAX_CHARS else show_value(text)[:_MAX_CHARS]
