"""A matrix as a YAML file: the options of the command, checked before they are parsed like the command's.

::

    vary:
      channels: [s1, VV, s1+DEM]
      train: [0.1, 0.25, 1]
    cross: [unet, utae]
    preset: quick
    region: [hokkaido]
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from data.io.errors import unknown_name
from data.io.safe_json import read_text, show_value
from tuning.matrix.axes.names import AXIS_LABELS

_MAX_BYTES = 2**20
_BY_AXIS = ("vary", "reference")  # keys that hold levels by axis
_STUDY = "study"
_BOOL = "tag:yaml.org,2002:bool"


def read_matrix_file(path: Path, options: Mapping[str, argparse.Action]) -> list[str]:
    """Return the words of the command that a file stands for.

    Args:
        path: The YAML file.
        options: The command's options by name.

    Raises:
        ValueError: If it is no YAML, a key is unknown or comes twice, or a value has the wrong form; the message has the line.
        OSError: If it cannot be read.
    """
    text = read_text(path, _MAX_BYTES)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(
            f"A matrix's file must be YAML, but got {' '.join(str(error).split())} in {path}. Correct it."
        ) from error
    words: list[str] = []
    known = {_STUDY: None, **options}
    for key, value in _walk(node, path, "option", known):
        if key == _STUDY:
            words.insert(0, _scalar(value, key, path))
        elif key in _BY_AXIS:
            for axis, levels in _walk(value, path, "axis", AXIS_LABELS):
                words.append(f"--{key}={axis}={','.join(_list(levels, axis, path))}")
        else:
            words += _write_option(key, value, options[key], path)
    return words


def _walk(
    node: Node | None, path: Path, kind: str, known: Mapping[str, object]
) -> list[tuple[str, Node]]:
    """Return keys and values of a mapping; an underscore in a key is a dash where the name has one."""
    if not isinstance(node, MappingNode):
        line = 1 if node is None else node.start_mark.line + 1
        raise ValueError(  # noqa: TRY004 - of the file, not of an argument
            f"A matrix's file must hold a value for each {kind}, as NAME: VALUE, but got something else in {_at(path, line)}. "
            f"Available: {', '.join(known)}."
        )
    found: dict[str, Node] = {}
    for key, value in node.value:
        at = _at(path, key.start_mark.line + 1)
        name = str(key.value) if isinstance(key, ScalarNode) else "a list"
        name = name if name in known else name.replace("_", "-")
        if name not in known:
            raise ValueError(f"{unknown_name(kind, str(key.value), known)} It stands in {at}.")
        if name in found:
            raise ValueError(
                f"A matrix's file must have each {kind} once, but got {name} again in {at}. Leave one of them out."
            )
        found[name] = value
    return list(found.items())


def _write_option(name: str, node: Node, action: argparse.Action, path: Path) -> list[str]:
    if action.nargs == 0:
        return [f"--{name}"] if _flag(node, name, path) else []
    values = _list(node, name, path)
    if action.nargs == "+":
        return [f"--{name}", *values]
    if len(values) == 1 or name == "cross":
        return [f"--{name}={','.join(values)}"]
    raise ValueError(
        f"{name} must be one value, but got {show_value(values)} in {_at(path, node.start_mark.line + 1)}. Choose one."
    )


def _flag(node: Node, name: str, path: Path) -> bool:
    text = _scalar(node, name, path)
    if node.tag != _BOOL:
        raise ValueError(
            f"{name} must be true or false, but got {text!r} in {_at(path, node.start_mark.line + 1)}."
        )
    return text.lower() in ("true", "yes", "on")


def _list(node: Node, name: str, path: Path) -> list[str]:
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    return [_scalar(one, name, path) for one in nodes]


def _scalar(node: Node, name: str, path: Path) -> str:
    if not isinstance(node, ScalarNode) or not node.value:
        raise ValueError(
            f"{name} must be a value or a list of values, but got something else in {_at(path, node.start_mark.line + 1)}."
        )
    return str(node.value)


def _at(path: Path, line: int) -> str:
    return f"line {line} of {path}"
