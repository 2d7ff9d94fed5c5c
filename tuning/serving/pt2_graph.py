"""Converts a network's graph to calls of the operators in `tuning.serving.operators`.

Nothing from the file is compiled or evaluated. Its shapes are ignored, so a graph exported for one batch and size runs for
all. This module becomes part of every logged model, so it needs only torch.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuning.serving.operators import IDLE, find_operator
from tuning.serving.pt2_archive import DTYPES, Pt2Archive, pt2_error

SCHEMA = 8  # major version of torch._export.serde.schema
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORD = re.compile(r"[A-Za-z_,.> -]{0,60}")  # a string argument, such as gelu's 'tanh'
# Shapes as sympy writes them. Never evaluated here; but other loaders do, so nothing else may stand there.
EXPRESSION = re.compile(
    r"(?:Symbol\('[su][0-9]+'(?:, (?:positive|nonnegative|integer)=True)*\)|Integer\(-?[0-9]+\)"
    r"|(?:Add|Mul|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|Eq|Ne|Ge|Gt|Le|Lt)\(|\)|, )+"
)
PLAIN = ("as_int", "as_float", "as_bool", "as_ints", "as_floats", "as_bools")
# By torch._export.serde.schema.MemoryFormat.
FORMATS = dict(
    enumerate(
        (
            torch.contiguous_format,
            torch.channels_last,
            torch.channels_last_3d,
            torch.preserve_format,
        ),
        1,
    )
)


@dataclass(frozen=True)
class Value:
    """The place of an earlier value in a step's arguments."""

    name: str


@dataclass(frozen=True)
class Device:
    """The place of the input's device in a step's arguments, whatever device the file names."""


@dataclass(frozen=True)
class GraphStep:
    """One call.

    Attributes:
        function: The operator.
        args: Positional arguments: numbers, lists, and ``Value`` or ``Device`` for what only a run knows.
        kwargs: Arguments by name.
        outputs: Names of the results.
        several: Whether the operator returns several results.
        spent: Names of the values that no later step needs.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[str, ...]
    several: bool
    spent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A checked graph.

    Attributes:
        steps: Calls in their order.
        entry: Name of the input.
        shape: The input's T and C.
        result: Name of the result.
        weights: Tensors by the names that the steps use.
    """

    steps: tuple[GraphStep, ...]
    entry: str
    shape: tuple[int, int]
    result: str
    weights: dict[str, Tensor]


def make_graph(archive: Pt2Archive) -> Graph:
    """Check a graph and turn it into calls.

    Raises:
        Pt2Error: If it has guards, custom objects, an unknown operator, a name or an expression that
            could be code, or another layout than torch exports.
    """
    try:
        _check_texts(archive.program, archive.path)
        graph = archive.program["graph_module"]["graph"]
        weights, entry, result = _read_signature(archive)
        steps = [
            _make_step(node, archive.path) for node in graph["nodes"] if node["target"] not in IDLE
        ]
        sizes = graph["tensor_values"][entry]["sizes"]
        shape = int(sizes[1]["as_int"]), int(sizes[2]["as_int"])
        return Graph(add_spent(steps, result), entry, shape, result, weights)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise pt2_error(
            "A graph must be laid out as torch exports it", got, archive.path
        ) from error


def _check_texts(program: dict[str, Any], path: Path) -> None:
    """Check the schema's version, and whatever torch's own loader would turn into code."""
    if (version := program["schema_version"]["major"]) != SCHEMA:
        raise pt2_error(f"A graph must have schema {SCHEMA}", version, path)
    if guards := program["guards_code"]:
        raise pt2_error("A graph must have no guards, because they are code", repr(guards[0]), path)
    module = program["graph_module"]
    if found := module["graph"]["custom_obj_values"]:
        raise pt2_error("A graph must have no custom objects", ", ".join(found), path)
    for key, text in _walk(module):
        if key == "expr_str" and not EXPRESSION.fullmatch(text):
            raise pt2_error("An expression must be a shape", repr(text), path)
        if key in ("name", "as_name") and text is not None and not NAME.fullmatch(text):
            raise pt2_error("A name must be letters, digits and _", repr(text), path)


def _walk(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield every plain value with its key, at any depth."""
    if isinstance(content, list):
        for value in content:
            yield from _walk(value)
    elif isinstance(content, dict):
        for key, value in content.items():
            if not isinstance(value, (dict, list)):
                yield key, value
            yield from _walk(value)


def _read_signature(archive: Pt2Archive) -> tuple[dict[str, Tensor], str, str]:
    """Tell the weights by the steps' names, the input and the result."""
    signature = archive.program["graph_module"]["signature"]
    weights, entries = {}, []
    for spec in signature["input_specs"]:
        ((kind, content),) = spec.items()
        if kind == "user_input":
            entries.append(content["arg"]["as_tensor"]["name"])
        elif kind in ("parameter", "buffer", "tensor_constant"):
            weights[content["arg"]["name"]] = archive.weights[content[f"{kind}_name"]]
        else:
            raise pt2_error("An input must be a tensor or a weight", kind, archive.path)
    specs = signature["output_specs"]
    results = [spec["user_output"]["arg"]["as_tensor"]["name"] for spec in specs]
    if len(entries) != 1 or len(results) != 1:
        got = f"{len(entries)} and {len(results)}"
        raise pt2_error("A network must have one input and one output", got, archive.path)
    return weights, entries[0], results[0]


def _make_step(node: dict[str, Any], path: Path) -> GraphStep:
    args, kwargs = [], {}
    for entry in node["inputs"]:
        value = _read_argument(entry["arg"], path)
        if entry["kind"] == 1:  # positional
            args.append(value)
        else:
            kwargs[entry["name"]] = value
    outputs, several = _read_outputs(node["outputs"], path)
    function = find_operator(node["target"], path)
    return GraphStep(function, tuple(args), kwargs, outputs, several)


def _read_argument(argument: dict[str, Any], path: Path) -> Any:
    """Turn one argument into what the operator takes, with places for what only a run knows."""
    ((kind, value),) = argument.items()
    if kind in PLAIN:
        return value
    if kind in ("as_tensor", "as_sym_int"):
        return Value(value["name"]) if kind == "as_tensor" else _read_number(value)
    if kind == "as_tensors":
        return [Value(one["name"]) for one in value]
    if kind == "as_sym_ints":
        return [_read_number(one) for one in value]
    if kind == "as_optional_tensors":
        return [Value(one["as_tensor"]["name"]) if "as_tensor" in one else None for one in value]
    if kind in ("as_none", "as_layout"):
        return None  # dense, which is the default
    if kind == "as_device":
        return Device()
    if kind == "as_scalar_type":
        return DTYPES[value]
    if kind == "as_memory_format":
        return FORMATS[value]
    if kind == "as_string" and WORD.fullmatch(value):
        return value
    raise pt2_error("An argument must be tensors or numbers", f"{kind} {value!r}", path)


def _read_number(value: dict[str, Any]) -> Any:
    return Value(value["as_name"]) if "as_name" in value else value["as_int"]


def _read_outputs(outputs: list[dict[str, Any]], path: Path) -> tuple[tuple[str, ...], bool]:
    """Return the names of a step's results, and whether the operator returns several."""
    names: list[str] = []
    for output in outputs:
        ((kind, value),) = output.items()
        if kind == "as_tensors":
            return tuple(one["name"] for one in value), True
        if kind not in ("as_tensor", "as_sym_int", "as_sym_bool"):
            raise pt2_error("A result must be tensors or numbers", kind, path)
        names.append(value["name"] if kind == "as_tensor" else value["as_name"])
    return tuple(names), len(names) > 1


def list_names(content: Any) -> Iterator[str]:
    """Yield the names of all values in a step's arguments."""
    if isinstance(content, Value):
        yield content.name
    elif isinstance(content, (list, tuple)):
        for one in content:
            yield from list_names(one)


def add_spent(steps: list[GraphStep], result: str) -> tuple[GraphStep, ...]:
    """Tell each step which values nobody needs after it, so that a run frees them."""
    needed, done = {result}, []
    for step in reversed(steps):
        mine = {*list_names(step.args), *list_names(tuple(step.kwargs.values())), *step.outputs}
        done.append(replace(step, spent=tuple(sorted(mine - needed))))
        needed |= mine
    return tuple(reversed(done))
