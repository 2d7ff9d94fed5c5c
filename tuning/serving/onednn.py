"""Faster convolutions on a CPU: concatenation, convolution and ReLU in one pass over the result.

A convolution of concatenated feature maps is the sum of a convolution of each. oneDNN adds to an existing result and applies
the ReLU while writing; concatenating two maps of 512 x 512 px took as long as convolving them. `torch.compile` uses these
operators on a CPU too; if this torch lacks them, a network stays unchanged.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tuning.serving.pt2_graph import Graph, GraphStep, list_names

_ATEN = torch.ops.aten
_CONVOLUTION = _ATEN.conv2d.default
_JOIN = _ATEN.cat.default
_RELUS = (_ATEN.relu.default, _ATEN.relu_.default)
_DEFAULTS = (None, [1, 1], [0, 0], [1, 1], 1)  # bias, stride, padding, dilation, groups


def has_onednn() -> bool:
    """Tell whether this torch has the operators."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and hasattr(torch.ops.mkldnn, "_convolution_pointwise_")


def convolve(
    parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None, *how: Any, relu: bool
) -> Tensor:
    """Convolve maps as if they were joined.

    Args:
        parts: Maps ``(B, C_i, H, W)``.
        weight: Shape ``(O, sum of C_i / groups, h, w)``; groups is 1 where there are several maps.
        bias: Shape ``(O,)``.
        how: Stride, padding, dilation and groups.
        relu: Whether negative results become 0.

    Returns:
        Shape ``(B, O, H', W')``.
    """
    stride, padding, dilation, groups = how
    place = (padding, stride, dilation, groups)
    cuts = torch.split(weight, [part.shape[1] // groups for part in parts], dim=1)
    thens = [None] * (len(parts) - 1) + ["relu" if relu else None]
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        parts[0], cuts[0], bias, *place, thens[0] or "none", [], ""
    )
    for part, cut, then in zip(parts[1:], cuts[1:], thens[1:], strict=True):
        torch.ops.mkldnn._convolution_pointwise_.binary(
            found, part, cut, None, *place, "add", 1.0, then, [], ""
        )
    return found


def use_onednn(graph: Graph) -> Graph:
    """Put joins before convolutions, and ReLUs after them, into the convolutions."""
    uses = Counter(name for step in graph.steps for name in list_names(step.args))
    makers = {name: step for step in graph.steps for name in step.outputs}
    users = {name: step for step in graph.steps for name in list_names(step.args)}
    gone: set[str] = set()
    made: dict[str, GraphStep] = {}
    for step in graph.steps:
        if step.function is not _CONVOLUTION or step.kwargs:
            continue
        source, weight, *others = step.args
        every: list[Any] = [*others, *_DEFAULTS[len(others) :]]
        parts, (name,) = [source], step.outputs
        join = makers.get(source.name)
        if join is not None and _is_join(join) and uses[source.name] == 1 and every[-1] == 1:
            parts = list(join.args[0])
            gone.add(source.name)
        relu = uses[name] == 1 and users[name].function in _RELUS
        if relu:
            gone.add(name)
            (name,) = users[name].outputs
        args = (parts, weight, *every)
        made[name] = GraphStep(convolve, args, {"relu": relu}, (name,), several=False)
    steps = [made.get(step.outputs[0], step) for step in graph.steps]
    return replace(graph, steps=tuple(step for step in steps if step.outputs[0] not in gone))


def _is_join(step: GraphStep) -> bool:
    """Tell whether a step joins maps along their channels."""
    return step.function is _JOIN and len(step.args) == 2 and step.args[1] == 1 and not step.kwargs
