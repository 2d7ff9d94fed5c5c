"""The source files of a network: which ones it imports from its own folder, and importing them from there."""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

INSTALLED = ("site-packages", "dist-packages")
MAX_FILES, MAX_CHARS = 200, 4_000_000  # of one network's sources


def is_installed(file: Path) -> bool:
    """Return whether a file belongs to an installed package, which each machine installs for itself."""
    return any(part in INSTALLED for part in file.parts)


def read_sources(root: Path, first: str, package: str = "") -> dict[str, str]:
    """Read a Python file and all files that it imports, directly or not, from the same root.

    Args:
        root: Folder from which they are imported.
        first: The file, relative to *root*.
        package: Only files below this folder of *root* count, however many.

    Returns:
        Their texts by their paths relative to *root*, sorted.

    Raises:
        ValueError: If a file is no Python, or they are too many or too large to be sent to other machines.
    """
    found: dict[str, str] = {}
    waiting = [first, *_list_inits(root, first)]
    while waiting:
        name = waiting.pop()
        if name in found or not f"{name}/".startswith(f"{package}/" if package else ""):
            continue
        try:
            found[name] = (root / name).read_text(encoding="utf-8")
            for module in _parse_imports(found[name], name):
                waiting += _find_files(root, module)
        except (SyntaxError, ValueError) as error:
            raise ValueError(
                f"A network's source must be Python, but {root / name} is not: {error}."
            ) from error
    size = sum(map(len, found.values()))
    if not package and (len(found) > MAX_FILES or size > MAX_CHARS):
        raise ValueError(
            f"A network's source files must be at most {MAX_FILES} with {MAX_CHARS:,} characters in all, but "
            f"{root / first} imports {len(found)} with {size:,} from {root}. Install them as a package, and name it as "
            "package.module:Class."
        )
    return dict(sorted(found.items()))


def digest_sources(sources: Mapping[str, str], digits: int = 12) -> str:
    """Return the hash of source files and their relative paths, in hex digits."""
    digest = hashlib.sha256()
    for name, text in sorted(sources.items()):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:digits]


def _parse_imports(text: str, name: str) -> Iterator[str]:
    """Yield the dotted names that a file may import; a name from a module may be a module itself."""
    tree = ast.parse(text)
    package = list(Path(name).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = [*base, *([node.module] if node.module else [])]
            yield from [".".join(start)] if start else []  # "from . import" beside no package
            yield from (".".join([*start, alias.name]) for alias in node.names)


def _find_files(root: Path, module: str) -> list[str]:
    """Return the file of a module below *root*, and those of the packages around it; nothing for any other module."""
    place = Path(*module.split("."))
    for name in (place.with_suffix(".py"), place / "__init__.py"):
        if place.parts and (root / name).is_file():
            return [name.as_posix(), *_list_inits(root, name.as_posix())]
    return []


def _list_inits(root: Path, name: str) -> list[str]:
    folders = [folder for folder in Path(name).parents if folder.parts]
    inits = [(folder / "__init__.py").as_posix() for folder in folders]
    return [init for init in inits if (root / init).is_file()]


def import_file(root: Path, name: str, files: Iterable[str], alias: str) -> ModuleType:
    """Import a file by its path, with the files that it imports from its own root.

    Args:
        root: Folder from which its files are imported.
        name: The file, relative to *root*.
        files: All source files, of :func:`read_sources`.
        alias: The module's name in ``sys.modules``, which no other module has; used for a file that is in no package.

    Returns:
        The module.
    """
    own = {Path(file).parts[0].removesuffix(".py") for file in files if file != name or "/" in file}
    with _own_modules(root, own):
        if len(Path(name).parts) > 1:  # in a package, whose modules import each other by its name
            dotted = ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
            return importlib.import_module(dotted)
        spec = importlib.util.spec_from_file_location(alias, root / name)
        if spec is None or spec.loader is None:
            raise ImportError(f"{root / name} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[alias] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[alias]
            raise
        return module


@contextmanager
def _own_modules(root: Path, names: set[str]) -> Iterator[None]:
    """Let imports of *names* find the modules below *root*, and give back other modules of these names afterwards."""
    foreign = {
        key: module
        for key, module in sys.modules.items()
        if key.partition(".")[0] in names and not _is_below(module, root)
    }
    for key in foreign:
        del sys.modules[key]
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        displaced = {key.partition(".")[0] for key in foreign}
        for key in [key for key in sys.modules if key.partition(".")[0] in displaced]:
            del sys.modules[key]
        sys.modules.update(foreign)


def _is_below(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(root)
