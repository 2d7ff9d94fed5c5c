"""From the source files of a class to a network: its import."""

import hashlib
import importlib
import inspect
from types import ModuleType

from torch import nn

from models._architecture import Architecture, make_architecture
from models._checks import unknown_name_error
from models.outside.locate import Located, import_error
from models.outside.sources import import_file, is_installed

_ALIAS = "landslide_network_"  # before the hash of a file's path: its module's name


def load_located(found: Located, name: str) -> Architecture:
    """Import a located class.

    Raises:
        ValueError: If it cannot be imported, or is no class of a network.
    """
    try:
        if found.module:
            module = importlib.import_module(found.module)
        else:
            path = str(found.root / found.first)
            alias = _ALIAS + hashlib.sha256(path.encode()).hexdigest()[:12]
            module = import_file(found.root, found.first, found.sources, alias)
    except (Exception, SystemExit) as error:  # a file has errors of its own
        raise import_error(found.reference, error) from error
    return describe_class(found, name, _pick_class(module, found), module)


def describe_class(
    found: Located, name: str, build: type[nn.Module], module: ModuleType
) -> Architecture:
    """Describe a located class after its import."""
    installed = is_installed(found.root / found.first)
    return make_architecture(
        name,
        build,
        *(build, module),
        reference=found.reference,
        digest=found.digest,
        sources={} if installed else found.sources,
    )


def _pick_class(module: ModuleType, found: Located) -> type[nn.Module]:
    build = getattr(module, found.attribute, None)
    classes = [
        key
        for key, value in sorted(vars(module).items())
        if _is_network(value) and value.__module__ == module.__name__
    ]
    if build is None:
        place = found.reference.rpartition(":")[0]
        raise ValueError(f"{unknown_name_error(f'class of {place}:', found.attribute, classes)}")
    if not _is_network(build):
        names = f" Name one of {', '.join(classes)}." if classes else ""
        raise ValueError(
            f"A network must be a class derived from torch.nn.Module, but {found.reference} is {build!r:.200}.{names}"
        )
    return build  # type: ignore[no-any-return]


def _is_network(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module)
