"""Writes a program as an ONNX file: a graph of operators and weights, no pickle and no code.

Tracing a network costs seconds, and the seeds of a study differ in their weights alone, so the graph is kept without its
weights and filled again (`GraphTemplate`).
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from data.pack.normalisation import Normalisation
from tuning.serving.graph_cache import load_graph, store_graph
from tuning.serving.network import (
    LandslideProgram,
    check_program,
    find_multiple,
    list_check_shapes,
    make_reference,
)
from tuning.serving.program import INPUT, OUTPUT, STEP, Program

logger = logging.getLogger(__name__)

MAX_TEMPLATES = 8  # of about 0.1 MB each
AXES = ("batch", "height", "width")
NOISY = ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")  # loggers

_templates: dict[str, "GraphTemplate"] = {}  # by LandslideProgram.structure, oldest first


class ExportError(ValueError):
    """A network that cannot be written as an ONNX file, or whose file answers differently; with the reason."""


@dataclass(frozen=True)
class GraphTemplate:
    """The graph of a structure without its weights.

    Attributes:
        graph: The file's content; weights have a name, type and shape, but no values.
        weights: Names of the weights, as in the program's ``state_dict()``.
        multiple: Height and width of the input are multiples of it, px.
    """

    graph: onnx.ModelProto
    weights: frozenset[str]
    multiple: int

    def fill(self, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> bytes:
        """Return the file's content with the weights of a program.

        Raises:
            ExportError: If a weight is missing or has another shape.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.graph)
        for stored in model.graph.initializer:
            if stored.name not in self.weights:
                continue
            value = state.get(stored.name)
            if value is None or tuple(value.shape) != tuple(stored.dims):
                got = "none" if value is None else f"shape {tuple(value.shape)}"
                raise ExportError(
                    f"The weight {stored.name} must have the shape {tuple(stored.dims)}, but got {got}."
                )
            stored.CopyFrom(numpy_helper.from_array(value.detach().cpu().numpy(), stored.name))
        texts = {**metadata, STEP: str(self.multiple)}
        onnx.helper.set_model_props(model, texts)
        content: bytes = model.SerializeToString()
        return content


def save_program(
    program: LandslideProgram,
    norm: Normalisation,
    path: Path,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """Write a program as an ONNX file, load it back and compare it with the network.

    If an earlier program had the same structure, its graph is reused with the new weights, also in a later process
    (:mod:`tuning.serving.graph_cache`).

    Args:
        program: The network.
        norm: Its normalisation.
        path: File to write, named ``*.onnx``.
        metadata: Texts that the file keeps, by name.

    Returns:
        The network's probabilities, of :func:`tuning.serving.network.make_reference`.

    Raises:
        ExportError: If the network cannot be exported, or the file's probabilities differ from the network's.
    """
    known = _find_template(program)
    if known is not None:
        try:
            reference = _write(known, program, norm, path, metadata or {})
        except Exception as error:  # noqa: BLE001 - an earlier network's size, names or values
            logger.info("Exporting again, because an earlier graph does not fit: %s", error)
        else:
            _keep_template(program, known)
            return reference
    template = export_graph(program)
    reference = _write(template, program, norm, path, metadata or {})
    if program.structure:
        _keep_template(program, template)
        graph = (template.graph, template.weights, template.multiple)
        store_graph(program.structure, program.model, graph)
    return reference


def _find_template(program: LandslideProgram) -> GraphTemplate | None:
    """Return the graph of an earlier program of the same structure, of this process or stored by another."""
    if program.structure in _templates or not program.structure:
        return _templates.get(program.structure)
    stored = load_graph(program.structure, program.model)
    return None if stored is None else GraphTemplate(*stored)


def _keep_template(program: LandslideProgram, template: GraphTemplate) -> None:
    """Keep a structure's latest graph in memory."""
    _templates.pop(program.structure, None)
    _templates[program.structure] = template
    while len(_templates) > MAX_TEMPLATES:
        del _templates[next(iter(_templates))]


def _write(
    template: GraphTemplate,
    program: LandslideProgram,
    norm: Normalisation,
    path: Path,
    metadata: Mapping[str, str],
) -> dict[str, np.ndarray]:
    content = template.fill(program.state_dict(), metadata)
    try:
        reference = make_reference(program, norm, template.multiple)
        check_program(Program(content, path, threads=1), reference)
    except Exception as error:  # neither networks' errors nor ONNX Runtime's have a common base
        raise ExportError(_explain(error)) from error
    path.write_bytes(content)
    return reference


def export_graph(program: LandslideProgram) -> GraphTemplate:
    """Trace a program for any batch size, height and width.

    Raises:
        ExportError: If torch cannot write it as an ONNX graph; the message has torch's reason.
    """
    try:
        multiple = find_multiple(program)
    except ValueError as error:
        raise ExportError(str(error)) from error
    (_, _), (batch, side) = list_check_shapes(multiple)
    example = torch.zeros(batch, program.timesteps, program.channels, side, side + multiple)
    sizes = {0: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO, 4: torch.export.Dim.AUTO}
    try:
        with _quiet():
            exported = torch.onnx.export(
                program,
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=(sizes,),
                dynamo=True,
                optimize=False,
                verbose=False,
            )
            assert exported is not None  # noqa: S101 - for mypy: without a file it is returned
            weights = _optimise(exported)
    except Exception as error:  # torch has an error for each of its stages
        raise ExportError(f"torch.onnx cannot export the network: {_explain(error)}") from error
    return GraphTemplate(_strip(exported.model_proto, weights), weights, multiple)


def _optimise(exported: torch.onnx.ONNXProgram) -> frozenset[str]:
    """Simplify the graph as if its weights were inputs, so that they stay as they are; return their names."""
    graph: Any = exported.model.graph
    held = {name: (value, value.const_value) for name, value in graph.initializers.items()}
    for name, (value, _) in held.items():
        del graph.initializers[name]
        value.const_value = None
        graph.inputs.append(value)
    exported.optimize()
    for name, (value, tensor) in held.items():
        graph.inputs.remove(value)
        value.const_value = tensor
        if value.uses():
            graph.initializers[name] = value
    return frozenset(name for name, (value, _) in held.items() if value.uses())


def _strip(model: onnx.ModelProto, weights: frozenset[str]) -> onnx.ModelProto:
    """Take out the weights' values and whatever only debuggers need, such as stack traces with local paths."""
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    graph = stripped.graph
    for stored in graph.initializer:
        if stored.name in weights:
            stored.ClearField("raw_data")
    del graph.value_info[:]
    for message in (stripped, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        message.ClearField("metadata_props")
        message.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("name")
    for place, axes in ((graph.input[0], (0, 3, 4)), (graph.output[0], (0, 1, 2))):
        dims = place.type.tensor_type.shape.dim
        for axis, name in zip(axes, AXES, strict=True):
            if not dims[axis].HasField("dim_value"):  # a size that the network fixes stays
                dims[axis].dim_param = name
    return stripped


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter logs and prints, which is about its own inside, from the terminal."""
    levels = {logger: logger.level for logger in map(logging.getLogger, NOISY)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _explain(error: BaseException) -> str:
    """Return the first line of the error that began a chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if isinstance(error, ValueError) and lines:
        return lines[0].strip()
    return f"{name}: {lines[0].strip()[:300]}" if lines else name
