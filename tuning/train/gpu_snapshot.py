"""A snapshot of a training's state on its GPU: many small tensors in one contiguous buffer per type.

The next epoch can change the state while the snapshot is copied to the host, one transfer per buffer. ``torch.save``
writes a snapshot as it would write the state itself, but with one archive member per buffer.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_ALIGN = 16  # elements: every tensor begins at a multiple of 16 elements of its buffer

_Kind = tuple[torch.dtype, torch.device]


@dataclass(frozen=True)
class _Placement:
    """Location of a tensor in the buffer of its type and device."""

    kind: _Kind
    offset: int
    shape: torch.Size
    stride: tuple[int, ...]


class StateSnapshot:
    """A copy of all tensors of a state, made at once on their device; :meth:`fetch` copies it to the host.

    Args:
        state: Dicts, lists and tuples of tensors and plain values; plain values are not copied.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        tensors = list(_walk(state))
        self._placements, sizes = _place(tensors)
        self._buffers = {
            kind: torch.zeros(size, dtype=kind[0], device=kind[1]) for kind, size in sizes.items()
        }
        copies = self._view(self._buffers)
        for kind in sizes:  # on a GPU one launch copies many tensors
            index = [i for i, place in enumerate(self._placements) if place.kind == kind]
            torch._foreach_copy_([copies[i] for i in index], [tensors[i].detach() for i in index])
        self._state = _replace(state, iter(copies))

    def _view(self, buffers: dict[_Kind, Tensor]) -> list[Tensor]:
        return [
            buffers[place.kind].as_strided(place.shape, place.stride, place.offset)
            for place in self._placements
        ]

    def fetch(self) -> dict[str, Any]:
        """Return the state at the time of the snapshot, in host memory; waits for the copy from a GPU."""
        buffers = {kind: buffer.cpu() for kind, buffer in self._buffers.items()}
        state: dict[str, Any] = _replace(self._state, iter(self._view(buffers)))
        return state


def _walk(state: Any) -> Iterator[Tensor]:
    """Yield all tensors, in the order of :func:`_replace`."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _walk(value)


def _replace(state: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a state with its tensors replaced by those of an iterator."""
    if isinstance(state, Tensor):
        return next(tensors)
    if isinstance(state, dict):
        copied = copy.copy(state)  # keeps the `_metadata` of a network's state dict
        for name, value in state.items():
            copied[name] = _replace(value, tensors)
        return copied
    if isinstance(state, list | tuple):
        return type(state)(_replace(value, tensors) for value in state)
    return state


def _place(tensors: list[Tensor]) -> tuple[list[_Placement], dict[_Kind, int]]:
    """Return each tensor's placement, with its own memory format, and the sizes of the buffers."""
    placements, sizes = [], dict[_Kind, int]()
    for tensor in tensors:
        kind = tensor.dtype, tensor.device
        offset = sizes.get(kind, 0)
        stride = torch.empty_like(tensor, device="meta").stride()
        placements.append(_Placement(kind, offset, tensor.shape, stride))
        sizes[kind] = offset + -(-tensor.numel() // _ALIGN) * _ALIGN
    return placements, sizes
