"""A logged network: runs its graph operator by operator, as fast as the network's own forward pass.

This module becomes part of every logged model, so it needs only torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuning.serving.pt2_archive import read_archive
from tuning.serving.pt2_graph import Device, Graph, Value, make_graph

STEP_PX = 16  # height and width are multiples of it, for up to four poolings


class Program(nn.Module):
    """A network with its normalisation inside; ``.to(device)`` moves all that it holds.

    Shape:
        Input ``(B, T, C, H, W)``, float32, backscatter in dB (heights in m, slopes in degrees), NaN = no data; output
        ``(B, H, W)``, landslide probability. Any B; H and W are any multiples of 16.

    Attributes:
        graph: The calls that it makes.
        series: Acquisitions that it expects, T.
        channels: Channels that it expects, C.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.series, self.channels = graph.shape
        for name, weight in graph.weights.items():
            self.register_buffer(f"weight_{name}", weight)

    @property
    def operators(self) -> frozenset[str]:
        """Names of the operators that the network calls, such as ``aten.conv2d.default``."""
        return frozenset(str(step.function) for step in self.graph.steps)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, C, H, W)`` to probabilities ``(B, H, W)``.

        Raises:
            ValueError: If the shape is another.
        """
        check_shape(tuple(x.shape), self.series, self.channels)
        values: dict[str, Any] = {
            name: getattr(self, f"weight_{name}") for name in self.graph.weights
        }
        values[self.graph.entry] = x
        for step in self.graph.steps:
            args = [_fill(argument, values, x.device) for argument in step.args]
            kwargs = {name: _fill(one, values, x.device) for name, one in step.kwargs.items()}
            found = step.function(*args, **kwargs)
            values.update(zip(step.outputs, found if step.several else (found,), strict=True))
            for name in step.spent:
                del values[name]
        probs: Tensor = values[self.graph.result]
        return probs


def _fill(argument: Any, values: Mapping[str, Any], device: torch.device) -> Any:
    """Put a run's values into the places of an argument."""
    if isinstance(argument, list):
        return [_fill(one, values, device) for one in argument]
    if isinstance(argument, Value):
        return values[argument.name]
    return device if isinstance(argument, Device) else argument


def check_shape(got: tuple[int, ...], series: int, channels: int) -> None:
    """Refuse an input that a network of *series* acquisitions and *channels* channels cannot take."""
    wanted = f"(B, T={series}, C={channels}, H, W)"
    if len(got) == 4:
        raise ValueError(
            f"The input must be a batch {wanted}, but got one tile {got}. Pass x[None]."
        )
    if len(got) != 5 or got[1:3] != (series, channels) or not got[0]:
        raise ValueError(
            f"The input must have shape {wanted}, but got {got}. Pass the acquisitions and channels that "
            "the model was trained on, in the order of its metadata."
        )
    if any(not size or size % STEP_PX for size in got[3:]):
        raise ValueError(
            f"H and W must be multiples of {STEP_PX}, but got {got[3]} x {got[4]}. Pad with NaN or crop."
        )


def load_program(path: Path, device: torch.device | str = "cpu") -> Program:
    """Load a network's file; only operators in ``OPERATORS`` can run.

    Raises:
        FileNotFoundError: If there is no such file.
        Pt2Error: If the file is not one that this project writes.
    """
    return Program(make_graph(read_archive(path))).eval().to(device)
