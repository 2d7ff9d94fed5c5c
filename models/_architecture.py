"""One network as the benchmark knows it: its class, the arguments to search, and its names."""

import copy
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

DATA_ARGUMENTS = ("in_channels", "timesteps")
MAX_KEY, MAX_TITLE = 60, 80  # characters
KEY_RULE = f"1 to {MAX_KEY} small letters, digits and '_', with a letter first"
_KEY = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_KEY - 1}}}", re.ASCII)
_TITLE = re.compile(rf"\w[\w .+()-]{{0,{MAX_TITLE - 1}}}", re.ASCII)


@dataclass(frozen=True)
class Architecture:
    """A network that can be searched, whichever way it came.

    Attributes:
        name: Its key in configs, in the names of trials and, with hyphens, of registered models: ``KEY_RULE``.
        build: Called as ``build(in_channels=…, timesteps=…, **arch)``; usually the class.
        space: Values to search, a list per argument.
        known_good: The arguments that a search tries first, one for each argument of *space*.
        published: The arguments of the published network.
        narrow: Shorter lists for small machines, by argument.
        paper_name: Its name in tables.
        reference: What finds it again, such as ``package.module:Class``; empty for a file of this package.
        digest: Hash of its source files, or the version of its package; empty for a file of this package.
        licence: Terms of weights that others trained, in a sentence; empty without any.
        sources: The texts of its source files by path, as they were imported; empty if every machine must install them.
    """

    name: str
    build: Callable[..., nn.Module]
    space: Mapping[str, list[Any]]
    known_good: Mapping[str, Any]
    published: Mapping[str, Any]
    narrow: Mapping[str, list[Any]]
    paper_name: str
    reference: str = ""
    digest: str = ""
    licence: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_outside(self) -> bool:
        """Whether it is no file of this package."""
        return bool(self.reference)

    @property
    def place(self) -> str:
        """Where its code is, for messages: a file's path, or a module's name."""
        return self.reference.rpartition(":")[0] or f"models/{self.name}.py"


def make_architecture(
    name: str, build: Callable[..., nn.Module], *places: object, **found: Any
) -> Architecture:
    """Describe a network; what it does not say has a default.

    Args:
        name: Its key.
        build: Its class or function.
        *places: Where ``SPACE``, ``KNOWN_GOOD``, ``PUBLISHED``, ``NARROW``, ``PAPER_NAME`` and ``LICENCE`` are looked for, in this order:
            the class, then its module. By default there is nothing to search, an argument has the value of the signature,
            and the name in tables is the class's.
        **found: Further attributes of the record.

    Raises:
        ValueError: If one of these values has another form, or the key is invalid.
    """
    check_key(name)
    space = _read_lists(name, "SPACE", places)
    good = _read_mapping(name, "KNOWN_GOOD", places)
    defaults = {
        key: one.default for key, one in _parameters(build).items() if key not in DATA_ARGUMENTS
    }
    space = {key: [value] for key, value in good.items() if key not in space} | space
    for key, values in space.items():
        default = defaults.get(key, inspect.Parameter.empty)
        good.setdefault(key, default if default in values else values[0])
    published = _read_mapping(name, "PUBLISHED", places) or dict(good)
    title = _look_up("PAPER_NAME", places, getattr(build, "__name__", name))
    return Architecture(
        name=name,
        build=build,
        space=space,
        known_good=good,
        published=published,
        narrow=_read_lists(name, "NARROW", places),
        paper_name=check_title(name, title),
        licence=str(_look_up("LICENCE", places, "")),
        **found,
    )


def is_key(name: object) -> bool:
    """Return whether a text can be the key of a network, ``KEY_RULE``."""
    return isinstance(name, str) and _KEY.fullmatch(name) is not None


def check_key(name: str) -> str:
    """Return a network's key after a check: it names runs, folders, files and registered models."""
    if not is_key(name):
        raise ValueError(
            f"A network's name must have {KEY_RULE}, but got {name!r:.200}. Choose another, as in my_net=FILE.py:CLASS."
        )
    return name


def check_title(name: str, title: Any) -> str:
    """Return a network's name in tables after a check: files of the report have it too."""
    if not isinstance(title, str) or not _TITLE.fullmatch(title):
        raise ValueError(
            f"PAPER_NAME must be a text of at most {MAX_TITLE} letters, digits, spaces and . + ( ) - _, but the network "
            f'{name} has {title!r:.200}. Write PAPER_NAME = "…" into its class.'
        )
    return title


def accepts(build: Callable[..., nn.Module], argument: str) -> bool:
    """Return whether a class takes an argument beside the data's."""
    found = _parameters(build)
    free = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in found.values())
    return argument not in DATA_ARGUMENTS and (free or argument in found)


def list_arguments(build: Callable[..., nn.Module]) -> list[str]:
    """List the arguments of a class, without those of the data."""
    return [key for key in _parameters(build) if key not in DATA_ARGUMENTS]


def _parameters(build: Callable[..., nn.Module]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(build).parameters


def _look_up(attribute: str, places: tuple[object, ...], default: Any) -> Any:
    for place in places:
        if hasattr(place, attribute):
            return copy.deepcopy(getattr(place, attribute))
    return default


def _read_mapping(name: str, attribute: str, places: tuple[object, ...]) -> dict[str, Any]:
    found = _look_up(attribute, places, {})
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise ValueError(
            f"{attribute} must be a dict by the names of arguments, but the network {name} has {found!r:.200}. Correct it."
        )
    return dict(found)


def _read_lists(name: str, attribute: str, places: tuple[object, ...]) -> dict[str, list[Any]]:
    found = _read_mapping(name, attribute, places)
    for key, values in found.items():
        if not isinstance(values, list | tuple) or not values:
            raise ValueError(
                f"{attribute} must have a list of values for each argument, but the network {name} has "
                f"{key}: {values!r:.200}. Write them in [ ]."
            )
    return {key: list(values) for key, values in found.items()}
