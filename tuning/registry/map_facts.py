"""What a map says of its model: version, run, files, training data, gate, and the scores that it may expect."""

from collections.abc import Mapping
from typing import Any

from tuning.registry.trust import Trust
from tuning.statistics.expected import NAMES, expect_at
from tuning.tracking.model_digest import DIGEST

# Facts of :func:`describe_model`, which stand in the summary and in the tags of every file.
MODEL_FACTS = (
    *("registered_model", "version", "run_id", DIGEST, "gate", "warning", "trained_on", "expected"),
)


def describe_model(
    trust: Trust,
    expected: Mapping[str, Any] | None,
    threshold: float,
    *,
    own: bool,
    averaged: bool,
    few: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the facts of ``MODEL_FACTS``; the arguments are those of :func:`describe_expected`."""
    scores = describe_expected(expected, threshold, trust, own=own, averaged=averaged, few=few)
    return {**trust.facts, "warning": trust.warning, "expected": scores}


def format_model(trust: Trust, facts: Mapping[str, Any]) -> str:
    """Format the model, its gate and what a map may expect, for the terminal."""
    return f"Model: {trust.name}, gate {facts['gate']}. {format_expected(facts['expected'])}"


def name_version(facts: Mapping[str, Any]) -> str:
    """Return the model as the user named it, with its version's number."""
    return f"{facts['model']}" + (f" (version {facts['version']})" if facts["version"] else "")


def describe_expected(
    expected: Mapping[str, Any] | None,
    threshold: float,
    trust: Trust,
    *,
    own: bool,
    averaged: bool,
    few: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return ``precision`` and ``recall`` that a map may expect, each with ``value``, ``low`` and ``high``, and a ``note``.

    Args:
        expected: The model's scores over thresholds; None for models of earlier versions.
        threshold: Of the map.
        trust: The model; its registry may have the scores at its own threshold.
        own: Whether *threshold* is the model's.
        averaged: Whether the map averages over networks or flips, whose scores nobody measured.
        few: The model's scores with as few acquisitions after the event as the scene has, empty if they are not known; None
            if the scene has as many as the model reads.
    """
    if averaged:
        return _unknown("Unknown: the average over networks or flips was not measured on test.")
    if few is not None:
        return _expect_few(few, threshold)
    if expected is not None:
        found = {name: vars(expect_at(expected, name, threshold)) for name in NAMES}
        if all(one["value"] is None for one in found.values()):
            return _unknown(f"Unknown: the model was not measured at threshold {threshold:.3g}.")
        return found | {"note": "On the model's own test tiles, 95 % interval over blocks of them."}
    if own and trust.scores:
        found = {
            name: {"value": trust.scores.get(name), "low": None, "high": None} for name in NAMES
        }
        return found | {"note": "On the model's own test tiles; it was logged without intervals."}
    return _unknown("Unknown: the model was logged without its scores over thresholds.")


def _expect_few(few: Mapping[str, float], threshold: float) -> dict[str, Any]:
    if few.get("threshold") != threshold or not set(NAMES) <= few.keys():
        return _unknown("Unknown: the model was measured with more acquisitions after the event.")
    found = {name: {"value": few[name], "low": None, "high": None} for name in NAMES}
    return found | {
        "note": "On the model's own test tiles, with as few acquisitions after the event."
    }


def _unknown(note: str) -> dict[str, Any]:
    nothing = {"value": None, "low": None, "high": None}
    return {name: dict(nothing) for name in NAMES} | {"note": note}


def format_expected(expected: Mapping[str, Any]) -> str:
    """Format the content of :func:`describe_expected` in one line."""
    if all(expected[name]["value"] is None for name in NAMES):
        return (
            f"Expected precision and recall: {expected['note'][:1].lower()}{expected['note'][1:]}"
        )
    parts = [f"{name} {_format_expectation(expected[name])}" for name in NAMES]
    return f"Expected {', '.join(parts)}. {expected['note']}"


def _format_expectation(one: Mapping[str, float | None]) -> str:
    if one["value"] is None:
        return "unknown"
    ends = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
    return f"{one['value']:.2f}{ends}"


def flatten(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return facts as texts for the tags of a file: the keys of a table are joined, such as ``trained_on_split``."""
    texts: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            texts |= {f"{name}_{key}": text for key, text in flatten(value).items()}
        else:
            texts[name] = "unknown" if value is None else str(value)
    return texts
