"""Writes a network's file from the graph of an earlier export and new weights, without tracing the network again.

`torch.export` traces a network operator by operator in Python, which takes half of the time to log a model; the seeds of a
config differ only in their weights.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tuning.serving.pt2_archive import CONFIGS, DTYPES

WEIGHTS = "data/weights/"


@dataclass(frozen=True)
class Place:
    """Where a weight lies: the name of its member of the archive, its shape and type."""

    member: str
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Skeleton:
    """What a network's file holds beside the weights.

    Attributes:
        members: Content of the members that are no weights, by name, in their order.
        places: Place of each weight, by its name in the network's state.
    """

    members: Mapping[str, bytes]
    places: Mapping[str, Place]

    def write(self, weights: Mapping[str, Tensor], path: Path) -> None:
        """Write a network's file with these weights.

        Raises:
            ValueError: If they are not of this network.
        """
        found = {name: (tuple(one.shape), one.dtype) for name, one in weights.items()}
        if found != {name: (place.shape, place.dtype) for name, place in self.places.items()}:
            odd = sorted(set(found) ^ set(self.places))[:3] or "other shapes"
            raise ValueError(f"Weights must match the skeleton's network, but got {odd}.")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, place in self.places.items():
                flat = weights[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                archive.writestr(zipfile.ZipInfo(place.member), flat.numpy().tobytes())
            for member, content in self.members.items():
                archive.writestr(zipfile.ZipInfo(member), content)


def read_skeleton(path: Path) -> Skeleton | None:
    """Read a file that ``torch.export.save`` has written here.

    Returns:
        None if its weights are not one plain stretch of numbers each, so that others could not be put in their place.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        root = names[0].partition("/")[0]
        config = json.loads(archive.read(f"{root}/{CONFIGS[WEIGHTS]}"))["config"]
        places = {name: _find_place(f"{root}/{WEIGHTS}", meta) for name, meta in config.items()}
        members = {place.member for place in places.values() if place is not None}
        if None in places.values() or len(members) < len(places):
            return None
        rest = {name: archive.read(name) for name in names if name not in members}
    return Skeleton(rest, {name: place for name, place in places.items() if place is not None})


def _find_place(folder: str, meta: Mapping[str, object]) -> Place | None:
    tensor = meta["tensor_meta"]
    assert isinstance(tensor, dict)  # noqa: S101 - for mypy
    shape = tuple(int(size["as_int"]) for size in tensor["sizes"])
    strides = tuple(int(stride["as_int"]) for stride in tensor["strides"])
    plain = tuple(math.prod(shape[at + 1 :]) for at in range(len(shape)))
    if meta["use_pickle"] or tensor["storage_offset"]["as_int"] or strides != plain:
        return None
    return Place(f"{folder}{meta['path_name']}", shape, DTYPES[tensor["dtype"]])
