"""Where a reference to a network leads, such as ``package.module:Class`` or ``path/to/file.py:Class``: its source files."""

import difflib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from torch import nn

from models._checks import unknown_name_error
from models.outside.sources import digest_sources, is_installed, read_sources

FORMS = "package.module:Class, path/to/file.py:Class, smp:ARCHITECTURE/ENCODER, olmoearth:SIZE, or one of these after a name and '=', as in my_net=FILE.py:CLASS"


@dataclass(frozen=True)
class Located:
    """Where a reference leads, before anything of it is run.

    Attributes:
        reference: The reference without a name, with an absolute path.
        attribute: Name of the class.
        root: Folder from which its files are imported.
        first: The file with the class, relative to *root*.
        sources: The texts of all its source files by their paths, relative to *root*.
        module: Dotted name under which Python itself finds the file; empty if it is imported by its path.
    """

    reference: str
    attribute: str
    root: Path
    first: str
    sources: Mapping[str, str]
    module: str = ""

    @property
    def digest(self) -> str:
        """The hash of its source files."""
        return digest_sources(self.sources)


def is_reference(text: str) -> bool:
    """Return whether a text is a reference to a network, and not the name of one."""
    return ":" in text or "=" in text or text.endswith(".py")


def make_name(text: str) -> str:
    """Return the name of a reference's network: the one before its '=', else one made from the file's and class's names."""
    given, _, target = text.rpartition("=")
    place, _, attribute = target.rpartition(":")
    last = re.split(r"[./\\]", place.removesuffix(".py"))[-1]
    stem, own = make_slug(last), make_slug(attribute)
    same = own.replace("_", "").startswith(stem.replace("_", ""))
    return given or (own if same else f"{stem}_{own}")


def make_slug(text: str) -> str:
    """Return a text in small letters, digits and '_'."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def locate(text: str, root: Path | None = None) -> Located:
    """Find the source files of a reference without running anything of it, the packages around a module included.

    Args:
        text: The reference.
        root: Folder with copies of its source files, which are taken instead.

    Raises:
        ValueError: If the text has another form, or nothing is there.
    """
    target = text.rpartition("=")[2]
    place, _, attribute = target.rpartition(":")
    is_file = place.endswith(".py")
    if not attribute.isidentifier() or not (is_file or re.fullmatch(r"\w+(\.\w+)*", place)):
        raise ValueError(f"A network from outside must be named as {FORMS}, but got {text!r:.300}.")
    if root is not None:
        first = _find_copy(
            root, Path(place) if is_file else Path(*place.split(".")).with_suffix(".py")
        )
        return Located(target, attribute, root, first, read_sources(root, first))
    path = _find_file(Path(place)) if is_file else _find_module(place)
    module = "" if is_file else place
    where = f"{path if is_file else place}:{attribute}"
    own_root, first = _split_path(path, module)
    return Located(where, attribute, own_root, first, _read(own_root, first), module)


def _read(root: Path, first: str) -> dict[str, str]:
    """Read a file's sources; of an installed package those of the package alone."""
    return read_sources(root, first, Path(first).parts[0] if is_installed(root / first) else "")


def _find_file(path: Path) -> Path:
    if not path.is_file():
        others = sorted(file.name for file in path.resolve().parent.glob("*.py"))
        none = f"{path.resolve().parent} has no Python file."
        hint = str(unknown_name_error("file", path.name, others)) if others else none
        raise ValueError(f"A network's file must exist, but got {path}. {hint}")
    return path.resolve()


def _find_module(dotted: str) -> Path:
    try:
        spec = _find_spec(dotted)
    except Exception as error:  # each finder has errors of its own
        raise import_error(dotted, error) from error
    if spec is None:
        missing = ModuleNotFoundError(f"No module named {dotted!r}", name=dotted)
        raise import_error(dotted, missing)
    if not spec.origin or not spec.origin.endswith(".py"):
        raise _no_source_error(dotted)
    return Path(spec.origin).resolve()


def _find_spec(dotted: str) -> ModuleSpec | None:
    """Find a module without running the packages around it, as ``importlib.util.find_spec`` would."""
    first, *rest = dotted.split(".")
    spec = importlib.util.find_spec(first)
    for part in rest:
        folders = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(part, list(folders)) if folders else None
    return spec


def _no_source_error(module: str) -> ValueError:
    return ValueError(
        f"A network's class must stand in a Python file, which every trial's process reads, but {module} has none. Write it "
        "into a file, and give its path."
    )


def _split_path(path: Path, module: str = "") -> tuple[Path, str]:
    """Return the folder from which a file is imported, and the file's path from there."""
    parts = module.split(".") if module else []
    tail = path.parent if path.stem == "__init__" else path.with_suffix("")
    folder = path.parent
    if parts and tail.parts[-len(parts) :] == tuple(parts):
        folder = Path(*tail.parts[: -len(parts)])
    else:
        while (folder / "__init__.py").is_file() and folder != folder.parent:
            folder = folder.parent
    return folder, path.relative_to(folder).as_posix()


def _find_copy(root: Path, path: Path) -> str:
    """Return where a copy of a file lies below *root*: the longest end of its path that exists there."""
    for file in (path, path.with_suffix("") / "__init__.py"):
        for count in range(len(file.parts), 0, -1):
            end = Path(*file.parts[-count:])
            if not end.is_absolute() and (root / end).is_file():
                return end.as_posix()
    raise ValueError(
        f"Copies of a network's sources must have {path.name}, but {root} lacks it. Delete the folder."
    )


def locate_class(build: type[nn.Module], module: ModuleType) -> Located:
    """Find the source files of a class that is already imported.

    Raises:
        ValueError: If it stands in no file, or within another object.
    """
    if "." in build.__qualname__ or getattr(module, build.__qualname__, None) is not build:
        raise ValueError(
            f"A network's class must stand in its module itself, but got {build.__qualname__} of {build.__module__}. "
            "Move it out of the function or class around it."
        )
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        raise _no_source_error(module.__name__)
    path, dotted = Path(file).resolve(), module.__name__
    root, first = _split_path(path, dotted)
    own = ".".join(Path(first).with_suffix("").parts).removesuffix(".__init__")
    place = dotted if own == dotted else str(path)
    sources = _read(root, first)
    return Located(f"{place}:{build.__qualname__}", build.__qualname__, root, first, sources)


def import_error(where: str, error: BaseException) -> ValueError:
    """Return the error for a module that cannot be imported, with the reason and what to do."""
    text = " ".join(str(error).split()).rstrip(".")
    missing = isinstance(error, ModuleNotFoundError) and error.name
    hint = _suggest(str(error.name)) if missing else "Correct it."  # type: ignore[attr-defined]
    if "no known parent package" in text:
        hint = "Write 'from neighbour import …' without the dot, or put an __init__.py into its folder."
    return ValueError(
        f"A network's module must be importable, but {where} is not: {type(error).__name__}: {text:.500}. {hint}"
    )


def _suggest(missing: str) -> str:
    """Say what to do where a module is missing, with the nearest name among those of the working folder."""
    here = [file.stem for file in Path.cwd().glob("*.py")]
    here += [file.parent.name for file in Path.cwd().glob("*/__init__.py")]
    nearest = difflib.get_close_matches(missing.partition(".")[0], sorted(here), n=1)
    hint = f"Did you mean {nearest[0]!r}? " if nearest and nearest[0] != missing else ""
    return f"{hint}Install the package of {missing!r}, or add its folder to PYTHONPATH."
