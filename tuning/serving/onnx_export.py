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

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from data.pack.normalisation import Normalisation
from tuning.serving.graph.cache import load_graph, store_graph
from tuning.serving.graph.simplify import simplify, strip
from tuning.serving.network import LandslideProgram, find_multiple, takes_any_length
from tuning.serving.program import DAYS, INPUT, LENGTH, OUTPUT, STEP, Program
from tuning.serving.reference import check_program, list_check_shapes, make_reference

logger = logging.getLogger(__name__)

MAX_TEMPLATES = 8  # of about 0.1 MB each
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
    (:mod:`tuning.serving.graph.cache`).

    Args:
        program: The network.
        norm: Its normalisation.
        path: File to write, named ``*.onnx``.
        metadata: Texts that the file keeps, by name.

    Returns:
        The network's probabilities, of :func:`tuning.serving.reference.make_reference`.

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
    texts = {**metadata, LENGTH: str(program.timesteps)}
    content = template.fill(program.state_dict(), texts)
    try:
        reference = make_reference(program, norm, template.multiple)
        check_program(Program(content, path, threads=1), reference)
    except Exception as error:  # neither networks' errors nor ONNX Runtime's have a common base
        raise ExportError(_explain(error)) from error
    path.write_bytes(content)
    return reference


def export_graph(program: LandslideProgram) -> GraphTemplate:
    """Trace a program for any batch size, height and width; one that reads dates also for any number of acquisitions.

    Raises:
        ExportError: If torch cannot write it as an ONNX graph; the message has torch's reason.
    """
    try:
        multiple = find_multiple(program)
    except ValueError as error:
        raise ExportError(str(error)) from error
    (_, _), (batch, side) = list_check_shapes(multiple)
    any_length = takes_any_length(program, multiple)
    length = max(2, program.timesteps) if any_length else program.timesteps  # 1 would be fixed
    example = torch.zeros(batch, length, program.channels, side, side + multiple)
    free = torch.export.Dim.AUTO
    times = {1: free} if any_length else {}
    inputs = {INPUT: (example, {0: free, 3: free, 4: free} | times)}
    if program.reads_dates:
        inputs[DAYS] = (torch.zeros(batch, length), {0: free} | times)
    try:
        with _quiet():
            exported = torch.onnx.export(
                program,
                tuple(value for value, _ in inputs.values()),
                input_names=list(inputs),
                output_names=[OUTPUT],
                dynamic_shapes=tuple(sizes for _, sizes in inputs.values()),
                dynamo=True,
                optimize=False,
                verbose=False,
            )
            assert exported is not None  # noqa: S101 - for mypy: without a file it is returned
            weights = simplify(exported, set(program.state_dict()))
    except Exception as error:  # torch has an error for each of its stages
        raise ExportError(f"torch.onnx cannot export the network: {_explain(error)}") from error
    return GraphTemplate(strip(exported.model_proto, weights), weights, multiple)


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
