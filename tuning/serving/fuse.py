"""Optimises a logged network for large scenes: equal output up to rounding, faster than its own forward pass.

Batch norm in eval mode is a scale and a shift per channel, which are folded into the preceding convolution (Jacob et al.
2018, arXiv 1712.05877, section 3.2). The fused program does not select acquisitions: the scene's reader does, so that
unused acquisitions are neither read nor copied.
"""

from collections import Counter
from dataclasses import replace

import torch
from torch import Tensor

from tuning.serving.onednn import has_onednn, use_onednn
from tuning.serving.program import Program
from tuning.serving.pt2_graph import Graph, GraphStep, Value, add_spent, list_names

_ATEN = torch.ops.aten
_CONVOLUTIONS = (_ATEN.conv2d.default,)
_NORM = _ATEN.batch_norm.default
# Operators whose result may take the place of their input, where nobody needs that any more.
_IN_PLACE = {
    _ATEN.div.Tensor: _ATEN.div_.Tensor,
    _ATEN.nan_to_num.default: _ATEN.nan_to_num_.default,
    _ATEN.sigmoid.default: _ATEN.sigmoid_.default,
}
_MAKES_NEW = (_ATEN.sub.Tensor, *_CONVOLUTIONS, *_IN_PLACE.values())


def fuse(program: Program, timesteps: int, device: torch.device) -> Program:
    """Return a program that answers like *program*, given the acquisitions that it uses alone.

    Args:
        program: A logged network, ``(B, T, C, H, W)`` to ``(B, H, W)``; unchanged.
        timesteps: Acquisitions that it uses.
        device: Where it will run; it is moved there by the caller.

    Returns:
        The program of *timesteps* acquisitions.
    """
    graph = _skip_choice(program.graph, timesteps)
    graph = _fold_norms(graph)
    if device.type == "cpu" and has_onednn():
        graph = use_onednn(graph)
    steps = add_spent(_reuse(graph), graph.result)
    needed = {name for step in steps for name in list_names(step.args)}
    weights = {name: weight for name, weight in graph.weights.items() if name in needed}
    return Program(replace(graph, steps=steps, weights=weights)).eval()


def _skip_choice(graph: Graph, timesteps: int) -> Graph:
    """Leave out the first step, which picks the acquisitions, and take them as the input."""
    first, *others = graph.steps
    if first.function is not _ATEN.index_select.default or first.args[0] != Value(graph.entry):
        raise ValueError(
            f"A logged network must first select its acquisitions, but starts with {first.function}. Log it again."
        )
    (name,) = first.outputs
    return replace(graph, steps=tuple(others), entry=name, shape=(timesteps, graph.shape[1]))


def _fold_norms(graph: Graph) -> Graph:
    """Put every batch norm into the convolution whose result it alone takes."""
    uses = Counter(name for step in graph.steps for name in list_names(step.args))
    makers = {name: step for step in graph.steps for name in step.outputs}
    folded: dict[str, GraphStep] = {}  # by the convolution's result
    weights = dict(graph.weights)
    for norm in graph.steps:
        if norm.function is not _NORM or norm.args[5]:  # in training, it depends on the batch
            continue
        source = norm.args[0].name
        conv = makers.get(source)
        if conv is None or conv.function not in _CONVOLUTIONS or uses[source] != 1:
            continue
        (name,) = norm.outputs
        weight, bias = _fold(conv, norm, weights)
        weights |= {f"{name}_weight": weight, f"{name}_bias": bias}
        args = (conv.args[0], Value(f"{name}_weight"), Value(f"{name}_bias"), *conv.args[3:])
        folded[source] = replace(conv, args=args, outputs=(name,))
    gone = {name for step in folded.values() for name in step.outputs}
    steps = []
    for step in graph.steps:
        if step.outputs[0] in folded:
            steps.append(folded[step.outputs[0]])
        elif step.outputs[0] not in gone:
            steps.append(step)
    return replace(graph, steps=tuple(steps), weights=weights)


def _fold(conv: GraphStep, norm: GraphStep, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the weight and bias of a convolution and its batch norm together."""
    gamma, beta, mean, var = (
        None if one is None else weights[one.name].double() for one in norm.args[1:5]
    )
    assert mean is not None and var is not None  # noqa: S101, PT018 - for mypy: in eval mode
    scale = (var + norm.args[7]).rsqrt() * (1.0 if gamma is None else gamma)
    shift = (0.0 if beta is None else beta) - mean * scale
    weight = weights[conv.args[1].name].double() * scale[:, None, None, None]
    bias = conv.args[2] if len(conv.args) > 2 else None
    if bias is not None:
        shift = shift + weights[bias.name].double() * scale
    return weight.float(), shift.float()


def _reuse(graph: Graph) -> list[GraphStep]:
    """Let results take the place of inputs that are needed once, and were made for this alone."""
    uses = Counter(name for step in graph.steps for name in list_names(step.args))
    fresh: set[str] = set()
    steps = []
    for step in graph.steps:
        first = step.args[0].name if step.args and isinstance(step.args[0], Value) else ""
        if step.function in _IN_PLACE and first in fresh and uses[first] == 1:
            step = replace(step, function=_IN_PLACE[step.function])
        if step.function in _MAKES_NEW:
            fresh |= set(step.outputs)
        steps.append(step)
    return steps
