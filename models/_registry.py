"""Architectures by name: classes, search spaces and published settings."""

import copy
import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from torch import nn

from models._checks import unknown_name_error


def list_models() -> list[str]:
    """Return the names of all architectures, sorted."""
    modules = (
        module.name
        for module in pkgutil.iter_modules(importlib.import_module("models").__path__)
        if not module.ispkg
    )
    return sorted(name for name in modules if not name.startswith("_"))


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
    build = _import_model(name).build
    choices = [key for key in inspect.signature(build).parameters if key not in _DATA_ARGUMENTS]
    for key in arch:
        if key not in choices:
            raise unknown_name_error(f"argument of model {name!r}:", key, choices)
    model: nn.Module = build(in_channels=in_channels, timesteps=timesteps, **arch)
    return model


def search_space(name: str) -> dict[str, list[Any]]:
    """Return the arch values to search, one list per argument."""
    space: dict[str, list[Any]] = copy.deepcopy(_import_model(name).SPACE)
    return space


def known_good(name: str) -> dict[str, Any]:
    """Return the arch values that a search tries first."""
    arch: dict[str, Any] = dict(_import_model(name).KNOWN_GOOD)
    return arch


def published(name: str) -> dict[str, Any]:
    """Return the arch values of the published network."""
    arch: dict[str, Any] = dict(_import_model(name).PUBLISHED)
    return arch


def paper_name(name: str) -> str:
    """Return the name of the architecture in the published study's tables."""
    paper: str = _import_model(name).PAPER_NAME
    return paper


_DATA_ARGUMENTS = ("in_channels", "timesteps")


def _import_model(name: str) -> ModuleType:
    """Import the file of one architecture."""
    names = list_models()
    if name not in names:
        raise unknown_name_error("model", name, names)
    return importlib.import_module(f"models.{name}")
