"""Networks by name, whichever way they came: files of this package, entry points, references, or `register_model`."""

import importlib
import logging
import pkgutil
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models._architecture import (
    Architecture,
    accepts,
    check_key,
    check_title,
    list_arguments,
    make_architecture,
)
from models._checks import unknown_name_error
from models.outside.consent import give_consent
from models.outside.locate import locate_class
from models.outside.references import describe_class
from models.outside.schemes import load_reference

GROUP = "landslide_benchmark.models"  # entry points of installed packages: name = "package.module:Class"
_added: dict[str, Architecture] = {}  # of this process, by name
_announced: dict[str, str] = {}  # names in tables of networks whose code may not be here, by name
logger = logging.getLogger(__name__)


def list_models() -> list[str]:
    """Return the names of all networks that this process can build, sorted."""
    return sorted({*_list_files(), *_list_entry_points(), *_added})


def _list_files() -> list[str]:
    """List the networks of this package: its modules without a leading underscore."""
    modules = pkgutil.iter_modules(importlib.import_module("models").__path__)
    return [one.name for one in modules if not one.ispkg and not one.name.startswith("_")]


@cache
def _list_entry_points() -> dict[str, str]:
    """Return the references of installed packages' networks by name; an invalid or taken name is left out with a warning."""
    found = {}
    for point in entry_points(group=GROUP):
        try:
            if check_key(point.name) in _list_files():
                raise ValueError(f"the network {point.name} of this project has that name")
        except ValueError as error:
            logger.warning(
                "The entry point %s = %s is left out: %s", point.name, point.value, error
            )
            continue
        found[point.name] = point.value
    return found


def get_architecture(name: str) -> Architecture:
    """Return a network's record.

    Raises:
        ValueError: If the name is unknown; the message suggests the nearest one. Or if an entry point leads to no network.
    """
    if name in _added:
        return _added[name]
    if name in _list_files():
        module = importlib.import_module(f"models.{name}")
        return make_architecture(name, module.build, module)
    if name in _list_entry_points():
        _added[name] = load_reference(_list_entry_points()[name], name=name)
        return _added[name]
    raise unknown_name_error("model", name, list_models())


def add_network(reference: str) -> str:
    """Make a network from outside known to this process.

    Args:
        reference: ``package.module:Class``, ``path/to/file.py:Class`` or ``smp:ARCHITECTURE/ENCODER``; ``name=`` before it
            chooses its name.

    Returns:
        Its name.

    Raises:
        ValueError: If the reference leads to no network, or another network has the name.
    """
    return _add(load_reference(reference))


def register_model(name: str, build: type[nn.Module]) -> str:
    """Make a class known under a name, as ``--model name=…`` does.

    Args:
        name: Its name in commands, tables of runs and the registry: small letters, digits and '_'.
        build: A class of `torch.nn.Module`, called with ``in_channels``, ``timesteps`` and its own arguments. It must stand
            in a file, which every trial's process reads.

    Returns:
        The name.

    Raises:
        ValueError: If the class stands in no file or within another object, or another network has the name.
    """
    found = locate_class(build, module := sys.modules[build.__module__])
    give_consent(found)
    return _add(describe_class(found, name, build, module))


def recall_network(
    name: str, reference: str, digest: str, root: Path | None = None, *, sent: bool = False
) -> None:
    """Make a network known again that a config or a campaign names, if its source files are still the same.

    Args:
        name: Its name.
        reference: Where it was.
        digest: The hash that its files had.
        root: Folder with copies of its files, as another machine sent them.
        sent: Whether this campaign's own process sent it; else the author of the config may be a stranger.

    Raises:
        ValueError: As `models.outside.schemes.load_reference`, or if another network has the name.
    """
    known = _added.get(name)
    if known is not None and (known.reference, known.digest) == (reference, digest):
        return
    named = sent or _list_entry_points().get(name) == reference
    _add(load_reference(reference, name, digest, root, sent=named))


def _add(made: Architecture) -> str:
    """Keep a network under its name.

    Raises:
        ValueError: If another network has the name.
    """
    taken = _added.get(made.name)
    other = "a file of this project" if made.name in _list_files() else ""
    if taken is not None and taken.reference != made.reference:
        other = taken.reference
    if other:
        raise ValueError(
            f"A network's name must be its own, but {made.name} of {made.reference} is that of {other}. "
            f"Choose another: my_{made.name[:40]}={made.reference}"
        )
    _added[made.name] = made
    return made.name


def announce_network(name: str, title: str) -> None:
    """Let the tables of a campaign name a network whose code is perhaps not here.

    Raises:
        ValueError: If the name or the title is invalid.
    """
    check_key(name)
    if name not in list_models():
        _announced[name] = check_title(name, title)


def is_network(name: str) -> bool:
    """Return whether a name is that of a network: one that can be built here, or an announced one."""
    return name in _announced or name in list_models()


def create_model(name: str, in_channels: int, timesteps: int, **arch: Any) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: Architecture, one of `list_models`.
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        **arch: Arguments of the architecture; the defaults are the published values.

    Returns:
        The network in training mode; it maps ``x (B, T, C, H, W)`` to ``logits (B, 1, H, W)``.

    Raises:
        ValueError: If the name, an argument or a value is unknown.
    """
    build = get_architecture(name).build
    for key in arch:
        if not accepts(build, key):
            raise unknown_name_error(f"argument of model {name!r}:", key, list_arguments(build))
    return build(in_channels=in_channels, timesteps=timesteps, **arch)


def search_space(name: str) -> dict[str, list[Any]]:
    """Return the arch values to search, one list per argument."""
    return {key: list(values) for key, values in get_architecture(name).space.items()}


def known_good(name: str) -> dict[str, Any]:
    """Return the arch values that a search tries first."""
    return dict(get_architecture(name).known_good)


def published(name: str) -> dict[str, Any]:
    """Return the arch values of the published network."""
    return dict(get_architecture(name).published)


def use_channels_last(network: nn.Module) -> nn.Module:
    """Store the weights of 2D convolutions with their channels last, which is faster; return the network.

    ``network.to(memory_format=torch.channels_last)`` refuses a network with 3D convolutions.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return network


def paper_name(name: str) -> str:
    """Return the name of the architecture in the published study's tables."""
    if name in _announced and name not in list_models():
        return _announced[name]
    return get_architecture(name).paper_name


def find_place(name: str) -> str:
    """Return where a network's code is, for messages."""
    if name in list_models():
        return get_architecture(name).place
    return f"the file of {_announced.get(name, name)}"


def narrow(name: str) -> dict[str, list[Any]]:
    """Return shorter lists of arch values for small machines, by argument."""
    return {key: list(values) for key, values in get_architecture(name).narrow.items()}


def narrow_arch(name: str) -> dict[str, Any]:
    """Return the arch values that a search tries first, moved into the narrow lists: a network for tests and two cores."""
    lists, good = narrow(name), known_good(name)
    return {key: move_into(value, lists.get(key, [value])) for key, value in good.items()}


def move_into(value: Any, choices: list[Any]) -> Any:
    """Return *value* if it is among the choices, else the nearest number of them, or the first."""
    if value in choices:
        return value
    is_number = isinstance(value, int | float)
    return min(choices, key=lambda other: abs(other - value)) if is_number else choices[0]
