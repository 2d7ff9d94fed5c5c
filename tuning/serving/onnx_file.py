"""Checks a network's ONNX file before a library parses it, and reads its metadata.

The file's protocol buffers are walked by field numbers (``onnx.proto`` of https://github.com/onnx/onnx, IR version 10), so
that nothing is allocated that the file merely declares. This module becomes part of every logged model, so it needs only
the standard library.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_ONNX_BYTES = 2**30
MAX_DEPTH = 8  # of graphs in nodes of graphs
DOMAINS = ("", "ai.onnx")  # of ONNX's own operators
# Bytes of a value by ONNX's number of its type: float, integers, bool, half, double, unsigned, bfloat16.
ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
_BYTES = 2  # wire type of texts, bytes and nested messages


class OnnxError(ValueError):
    """A network's file that is not loaded, with the reason."""


@dataclass(frozen=True)
class OnnxFacts:
    """What a network's file says of itself.

    Attributes:
        metadata: Its texts by name.
        operators: Number of uses of each operator.
        opset: Version of ONNX's operators.
    """

    metadata: dict[str, str]
    operators: Counter[str]
    opset: int


class _Field(NamedTuple):
    """One field of a message: its number, wire type and value, a number or a span of bytes."""

    number: int
    wire: int
    value: int
    span: memoryview


def onnx_error(rule: str, got: object, path: Path | str) -> OnnxError:
    """Return the error for a broken rule, with the value got and the file."""
    shown = str(got)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}…"
    return OnnxError(
        f"{rule}, but got {shown} in {path}. Use the file that training wrote: download the model again."
    )


def read_onnx(path: Path) -> bytes:
    """Read a network's file.

    Raises:
        FileNotFoundError: If there is none.
        OnnxError: If it is larger than ``MAX_ONNX_BYTES``.
    """
    size = path.stat().st_size
    if size > MAX_ONNX_BYTES:
        rule = f"A network's file must have at most {MAX_ONNX_BYTES / 1e6:,.0f} MB"
        raise onnx_error(rule, f"{size / 1e6:,.0f} MB", path)
    return path.read_bytes()


def examine_onnx(content: bytes, path: Path | str) -> OnnxFacts:
    """Check a network's file and return what it says of itself.

    Args:
        content: The file's bytes.
        path: Its place, for messages.

    Raises:
        OnnxError: If the file is cut off or damaged, refers to other files, holds values that are not those that it
            declares, or has operators or functions that are not ONNX's own.
    """
    walk = _Walk(path)
    walk.model(memoryview(content))
    return OnnxFacts(walk.metadata, walk.operators, walk.opset)


class _Walk:
    """One pass over a file."""

    def __init__(self, path: Path | str) -> None:
        self.path, self.opset = path, 0
        self.metadata: dict[str, str] = {}
        self.operators: Counter[str] = Counter()

    def fields(self, message: memoryview) -> Iterator[_Field]:
        """Yield the fields of a message; a field that goes beyond its end is an error."""
        at, end = 0, len(message)
        while at < end:
            key, at = self.varint(message, at)
            wire, value, begin = key & 7, 0, at
            if wire == 0:
                value, at = self.varint(message, at)
            elif wire == _BYTES:
                value, begin = self.varint(message, at)
                at = begin + value
            elif wire in (1, 5):
                at += 8 if wire == 1 else 4
            else:
                raise self.damaged(f"a field of unknown wire type {wire}")
            if at > end:
                raise self.damaged(f"a field of {at - begin} bytes where {end - begin} are left")
            yield _Field(key >> 3, wire, value, message[begin:at])

    def varint(self, message: memoryview, at: int) -> tuple[int, int]:
        """Return the variable-length number at a place, and the place after it."""
        value = shift = 0
        while at < len(message) and shift < 70:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                return value, at
        raise self.damaged("a number without an end")

    def damaged(self, got: str) -> OnnxError:
        """Return the error for a file that is no ONNX file, or only the beginning of one."""
        return onnx_error("A network's file must be a whole ONNX file", got, self.path)

    def text(self, field: _Field) -> str:
        """Return a field's text."""
        try:
            return bytes(field.span).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged("a text that is not UTF-8") from error

    def model(self, message: memoryview) -> None:
        """Check the file as a whole."""
        graphs = [field for field in self._model_fields(message) if field.number == 7]
        if len(graphs) != 1 or not self.opset:
            raise self.damaged(f"{len(graphs)} graphs of opset {self.opset}")
        self.graph(graphs[0].span, 0)

    def _model_fields(self, message: memoryview) -> Iterator[_Field]:
        for field in self.fields(message):
            if field.number == 8:
                self.imports(field.span)
            elif field.number == 14:
                pair = {one.number: self.text(one) for one in self.fields(field.span)}
                self.metadata[pair.get(1, "")] = pair.get(2, "")
            elif field.number in (20, 25):
                kind = "training information" if field.number == 20 else "a function of its own"
                raise onnx_error("A network's file must hold one graph only", kind, self.path)
            yield field

    def imports(self, message: memoryview) -> None:
        """Check the domain of a set of operators."""
        fields = {field.number: field for field in self.fields(message)}
        self.domain(self.text(fields[1]) if 1 in fields else "")
        self.opset = fields[2].value if 2 in fields else 0

    def domain(self, name: str) -> None:
        """Refuse operators that are not ONNX's own."""
        if name not in DOMAINS:
            rule = "The operators of a network must be ONNX's own (domain ai.onnx)"
            raise onnx_error(rule, f"the domain {name!r}", self.path)

    def graph(self, message: memoryview, depth: int) -> None:
        """Check the nodes and weights of a graph."""
        if depth > MAX_DEPTH:
            raise self.damaged(f"graphs nested more than {MAX_DEPTH} deep")
        for field in self.fields(message):
            if field.number == 1:
                self.node(field.span, depth)
            elif field.number == 5:
                self.tensor(field.span)
            elif field.number == 15:
                raise onnx_error("Weights must be dense", "a sparse weight", self.path)

    def node(self, message: memoryview, depth: int) -> None:
        """Check an operator and its attributes."""
        for field in self.fields(message):
            if field.number == 4:
                self.operators[self.text(field)] += 1
            elif field.number == 7:
                self.domain(self.text(field))
            elif field.number == 5:
                self.attribute(field.span, depth)

    def attribute(self, message: memoryview, depth: int) -> None:
        """Check the tensors and graphs of an attribute."""
        for field in self.fields(message):
            if field.number in (5, 10):
                self.tensor(field.span)
            elif field.number in (6, 11):
                self.graph(field.span, depth + 1)
            elif field.number in (22, 23):
                raise onnx_error("Weights must be dense", "a sparse attribute", self.path)

    def tensor(self, message: memoryview) -> None:
        """Compare what a tensor declares with what it holds."""
        dims: list[int] = []
        kind, name, held = 0, "", None
        for field in self.fields(message):
            if field.number == 1:
                dims += self.numbers(field)
            elif field.number == 2:
                kind = field.value
            elif field.number == 8:
                name = self.text(field)
            elif field.number == 9:
                held = len(field.span)
            elif field.number == 13 or (field.number == 14 and field.value):
                rule = "A network's weights must be inside its file"
                raise onnx_error(rule, f"the weight {name!r} in another file", self.path)
        if kind not in ITEM_BYTES or any(size >= 2**63 for size in dims):
            raise self.damaged(f"the weight {name!r} of type {kind} and shape {dims}")
        declared = math.prod(dims) * ITEM_BYTES[kind]
        if held is None or held != declared:
            rule = "A weight must have the bytes that its shape and type declare"
            got = f"{held or 0:,} instead of {declared:,} bytes for {name!r} of shape {dims}"
            raise onnx_error(rule, got, self.path)

    def numbers(self, field: _Field) -> list[int]:
        """Return a repeated number, packed or not."""
        if field.wire == 0:
            return [field.value]
        values, at = [], 0
        while at < len(field.span):
            value, at = self.varint(field.span, at)
            values.append(value)
        return values
