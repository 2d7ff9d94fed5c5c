"""Simplifies an exported graph, and takes out what is no part of the network."""

from typing import Any

import onnx
import torch

from tuning.serving.program import DAYS, INPUT, OUTPUT

# Names of the input's and the output's axes whose size is free.
AXES = {
    INPUT: {0: "batch", 1: "acquisitions", 3: "height", 4: "width"},
    DAYS: {0: "batch", 1: "acquisitions"},
    OUTPUT: {0: "batch", 1: "height", 2: "width"},
}


def simplify(exported: torch.onnx.ONNXProgram, state: set[str]) -> frozenset[str]:
    """Simplify the graph as if its weights were inputs, so that they stay as they are; return their names.

    Args:
        exported: The graph.
        state: Names of the program's weights; the graph's other values are constants of its code.
    """
    graph: Any = exported.model.graph
    held = {
        name: (value, value.const_value)
        for name, value in graph.initializers.items()
        if name in state
    }
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


def strip(model: onnx.ModelProto, weights: frozenset[str]) -> onnx.ModelProto:
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
    for place in (*graph.input, *graph.output):
        dims = place.type.tensor_type.shape.dim
        for axis, name in AXES[place.name].items():
            if not dims[axis].HasField("dim_value"):  # a size that the network fixes stays
                dims[axis].dim_param = name
    return stripped
