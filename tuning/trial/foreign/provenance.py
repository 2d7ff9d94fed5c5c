"""Provenance of foreign predictions: who made them and how, as their maker says; nothing here can check it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import RefusedError, read_json, refused_error, show_value
from data.pack.channels import CHANNELS
from tuning.trial.foreign.names import NOT_STATED

PROVENANCE_FILE = "provenance.json"  # beside the predictions
MAX_CHARS = 1000  # of one entry
_SEEN = {True: "yes", False: "no"}
_REMEDY = "Correct the file."


@dataclass(frozen=True)
class Provenance:
    """What the maker of predictions says of them; ``not stated`` where he says nothing.

    Attributes:
        made_by: Who made them, and when or for what.
        framework: Program and version, such as ``TerraTorch 1.0``.
        code: Address of the code.
        training_data: What the method learnt from.
        saw_test_tiles: ``yes``, ``no`` or ``not stated``: whether labels of test tiles were seen in training or tuning.
        channels: Channels that were read, by the names of ``data.pack.channels.CHANNELS``, with spaces between.
        acquisitions: Which acquisitions were read, such as ``4 event``.
    """

    made_by: str = NOT_STATED
    framework: str = NOT_STATED
    code: str = NOT_STATED
    training_data: str = NOT_STATED
    saw_test_tiles: str = NOT_STATED
    channels: str = NOT_STATED
    acquisitions: str = NOT_STATED


NAMES = tuple(field.name for field in fields(Provenance))
LABELS = {
    "made_by": "made by",
    "framework": "framework",
    "code": "code",
    "training_data": "training data",
    "saw_test_tiles": "saw labels of test tiles",
    "channels": "channels",
    "acquisitions": "acquisitions",
}


def empty_provenance() -> dict[str, Any]:
    """Return a ``provenance.json`` to be filled in; ``null`` stands for what its maker does not state."""
    return {"made_by": "", **dict.fromkeys(NAMES[1:])}


def read_provenance_file(file: Path) -> Provenance:
    """Read a ``provenance.json``.

    Raises:
        RefusedError: If it has an unknown entry, an entry of another type, or does not say who made the predictions.
        OSError: If it cannot be read.
    """
    content = read_json(file)
    for name in content:
        if name not in NAMES:
            raise RefusedError(f"{file}: {unknown_name('entry', name, NAMES)}")
    if not content.get("made_by"):
        got = show_value(content.get("made_by"))
        raise refused_error("made_by must say who made the predictions", got, file, "Fill it in.")
    texts = {name: _read(name, value, file) for name, value in content.items()}
    return Provenance(**{name: text for name, text in texts.items() if text})


def make_provenance(text: str) -> Provenance:
    """Return the provenance of one text that the user typed.

    Raises:
        RefusedError: If it is empty or too long.
    """
    return Provenance(made_by=_check(text.strip(), "made_by", "--provenance"))


def load_provenance(params: Mapping[str, str]) -> Provenance:
    """Return the provenance that the params of a run hold, which somebody else may have written."""
    found = {name: params.get(f"provenance.{name}", NOT_STATED) for name in NAMES}
    shown = {
        name: "".join(one if one.isprintable() else "?" for one in text)
        for name, text in found.items()
    }
    return Provenance(**{name: text[:MAX_CHARS] for name, text in shown.items()})


def _read(name: str, value: Any, file: Path) -> str:
    if value is None:
        return ""
    if name == "saw_test_tiles":
        if not isinstance(value, bool):
            rule = "saw_test_tiles must be true, false or null"
            raise refused_error(rule, show_value(value), file, _REMEDY)
        return _SEEN[value]
    if name == "channels":
        return _read_channels(value, file)
    return _check(value, name, file)


def _read_channels(value: Any, file: Path) -> str:
    if not isinstance(value, list) or not value:
        rule = "channels must be a list of names, or null"
        raise refused_error(rule, show_value(value), file, _REMEDY)
    for name in value:
        if name not in CHANNELS:
            raise RefusedError(f"{file}: {unknown_name('channel', name, CHANNELS)}")
    return " ".join(name for name in CHANNELS if name in value)


def _check(value: Any, name: str, place: Path | str) -> str:
    if not isinstance(value, str) or len(value) > MAX_CHARS or not value.isprintable() or not value:
        rule = f"{name} must be one line of at most {MAX_CHARS} characters"
        raise refused_error(rule, show_value(value), place, _REMEDY)
    return value
