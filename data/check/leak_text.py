"""The leak audit in sentences, for the check of a folder, the log and the report page."""

from collections.abc import Iterable, Iterator, Sequence

from data.check.leak import LeakAudit
from data.check.leak_auc import BY_CHANCE, SAME, GroupAuc

SHOWN = 3  # dates named
REMEDY = "Read dates that all tiles share: --steps common, the default for real tiles."


def describe_audits(audits: Iterable[LeakAudit], remedy: str = REMEDY) -> Iterator[str]:
    """Yield a sentence or two on each audit: a warning with the remedy above chance, else what was tested."""
    for audit in audits:
        yield (
            f"warning: {describe_leak(audit)} {remedy}"
            if audit.above_chance
            else describe_none(audit)
        )


def describe_leak(audit: LeakAudit) -> str:
    """Describe an audit above chance: by what tiles are told apart, how well, and by which dates."""
    worst, *others = audit.above_chance
    also = f" ({', '.join(map(_format_group, others))})" if others else ""
    text = (
        f"The label leaks: annotated tiles of {audit.region} are told from others by {_format_group(worst)}{also} at "
        f"{_describe_inputs(audit)}."
    )
    dates = _list_dates(audit)
    return f"{text} Dates that differ: {dates}." if dates else text


def describe_none(audit: LeakAudit) -> str:
    """Describe an audit that found no leak, or could not be made."""
    start = f"Leak audit of {audit.region} at {_describe_inputs(audit)}"
    if untested := [group for group in audit.groups if group.auc is None]:
        return f"{start}: not testable, since {untested[0].note}."
    if all(group.note == SAME for group in audit.groups):
        return f"{start}: no leak, since dates, numbers of acquisitions, tracks and repeated images are {SAME}."
    words = [_format_group(group) for group in audit.groups if not group.note]
    for note in (BY_CHANCE, SAME):
        names = [_NAMES[group.name] for group in audit.groups if group.note == note]
        words += [f"{', '.join(names)}: {note}"] if names else []
    return f"{start}: none tells annotated tiles from others above chance ({'; '.join(words)})."


_NAMES = {
    "dates": "dates",
    "acquisitions": "numbers of acquisitions",
    "tracks": "tracks",
    "padding": "repeated images",
    "all": "all of these together",
}


def _format_group(group: GroupAuc) -> str:
    return f"{_NAMES[group.name]} with an AUC of {group.auc:.3f} (95 % interval {group.low:.3f} to {group.high:.3f})"


def _describe_inputs(audit: LeakAudit) -> str:
    return f"{audit.inputs} acquisitions ({audit.annotated:,} of {audit.tiles:,} tiles annotated, {audit.blocks:,} blocks)"


def _list_dates(audit: LeakAudit) -> str:
    """Name the dates that differ most, with their shares."""
    shown: Sequence[str] = [
        f"{one.modality} {one.day} (in {one.annotated:.0%} of the annotated and {one.others:.0%} of the other tiles)"
        for one in audit.differing[:SHOWN]
    ]
    more = len(audit.differing) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
