"""The leak audit as an artifact of a campaign's run, and its sentences on the report page."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from data.check.leak import LeakAudit, parse_audit
from data.check.leak_text import describe_audits
from data.io.safe_json import read_json, refused_error, show_value

LEAK_FILE = "leak_audit.json"
LEAK_TAG = "leak"  # tag of the campaign's run: what tells annotated tiles from others, or "none above chance"
MOST_REGIONS = 100


def write_leak_audit(audits: Sequence[LeakAudit], folder: Path) -> Path:
    """Write ``leak_audit.json`` into a folder; return its path."""
    file = folder / LEAK_FILE
    file.write_text(json.dumps({"audits": [asdict(audit) for audit in audits]}, indent=1))
    return file


def summarise_leaks(audits: Sequence[LeakAudit]) -> tuple[str, dict[str, float]]:
    """Return the tag of the campaign's run, and the metrics: the AUC of each region's dates, and its interval's low end."""
    leaks = [f"{a.region}: {a.above_chance[0].name}" for a in audits if a.above_chance]
    metrics = {}
    for audit in audits:
        whole = audit.groups[-1]  # all groups together
        if whole.auc is not None and whole.low is not None:
            metrics[f"leak/{audit.region}/auc"] = whole.auc
            metrics[f"leak/{audit.region}/auc_low"] = whole.low
    return ", ".join(leaks) or "none above chance", metrics


def read_leak_audit(folder: Path) -> tuple[LeakAudit, ...]:
    """Read the audits of a report's folder; empty where a campaign of an earlier version has none.

    Raises:
        ValueError: If the file is not what :func:`write_leak_audit` writes.
    """
    file = folder / LEAK_FILE
    if not file.is_file():
        return ()
    try:
        entries = read_json(file)["audits"]
        if not isinstance(entries, list) or len(entries) > MOST_REGIONS:
            raise ValueError("no list of audits")
        return tuple(map(parse_audit, entries))
    except (KeyError, ValueError) as error:
        rule = "A leak audit must have the format of `data.check.leak`"
        raise refused_error(rule, show_value(str(error)), file) from error


def describe_leaks(folder: Path) -> list[str]:
    """Return a report's sentences on leaks: one per leaking region with the remedy; if there is none, what was tested."""
    audits = read_leak_audit(folder)
    leaking = [audit for audit in audits if audit.above_chance]
    return list(describe_audits(leaking or audits[:1]))
