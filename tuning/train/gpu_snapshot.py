"""A training's state copied at one moment, on its GPU: its many small tensors side by side, in one stretch per type.

The next epoch may then change the state while the copy travels, one transfer a stretch. What is saved of it is what
``torch.save`` writes of the state itself, but with a stretch for a member.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_ALIGN = 16  # elements: every tensor begins at a multiple of 16 of its bytes' size

_Kind = tuple[torch.dtype, torch.device]


@dataclass(frozen=True)
class _Place:
    """Where a tensor lies in the stretch of its kind."""

    kind: _Kind
    begin: int
    shape: torch.Size
    stride: tuple[int, ...]


class StateSnapshot:
    """A copy of all tensors of a state, made on their device at once, and fetched from a GPU when it is wanted.

    Args:
        state: Dicts, lists and tuples of tensors and plain values; the plain ones are not copied.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        tensors = list(_walk(state))
        self._places, sizes = _place(tensors)
        self._stretches = {
            kind: torch.zeros(size, dtype=kind[0], device=kind[1]) for kind, size in sizes.items()
        }
        copies = self._view(self._stretches)
        for kind in sizes:  # on a GPU one launch for many
            own = [at for at, place in enumerate(self._places) if place.kind == kind]
            torch._foreach_copy_([copies[at] for at in own], [tensors[at].detach() for at in own])
        self._state = _replace(state, iter(copies))

    def _view(self, stretches: dict[_Kind, Tensor]) -> list[Tensor]:
        return [
            stretches[place.kind].as_strided(place.shape, place.stride, place.begin)
            for place in self._places
        ]

    def fetch(self) -> dict[str, Any]:
        """Return the state of that moment, in the machine's memory; a GPU's copy is waited for."""
        here = {kind: stretch.cpu() for kind, stretch in self._stretches.items()}
        found: dict[str, Any] = _replace(self._state, iter(self._view(here)))
        return found


def _walk(state: Any) -> Iterator[Tensor]:
    """Yield all tensors, in the order of :func:`_replace`."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _walk(value)


def _replace(state: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a state whose tensors are the next ones of an iterator."""
    if isinstance(state, Tensor):
        return next(tensors)
    if isinstance(state, dict):
        found = copy.copy(state)  # with the version that torch notes on a network's state
        for name, value in state.items():
            found[name] = _replace(value, tensors)
        return found
    if isinstance(state, list | tuple):
        return type(state)(_replace(value, tensors) for value in state)
    return state


def _place(tensors: list[Tensor]) -> tuple[list[_Place], dict[_Kind, int]]:
    """Give each tensor its place, in its own order of memory; return the stretches' sizes as well."""
    places, sizes = [], dict[_Kind, int]()
    for tensor in tensors:
        kind = tensor.dtype, tensor.device
        begin = sizes.get(kind, 0)
        stride = torch.empty_like(tensor, device="meta").stride()
        places.append(_Place(kind, begin, tensor.shape, stride))
        sizes[kind] = begin + -(-tensor.numel() // _ALIGN) * _ALIGN
    return places, sizes
