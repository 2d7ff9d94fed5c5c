"""The packages of this project in import order, and a picture of who imports whom: ``python docs/packages.py``.

A package may import only packages that stand before it in ``PACKAGES``; ``tests/system/test_layout.py`` checks this.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
CODE = ("data", "models", "tuning")  # the folders that are installed
PICTURE = ROOT / "docs" / "packages.png"

PACKAGES = (
    *("data.io", "data.tiles", "data.twin", "data.fetch", "data.check", "data.splits", "data.pack"),
    *("data.scene", "models", "tuning.metrics", "tuning.trial", "tuning.train", "tuning.baselines"),
    *("tuning.settings", "tuning.plots", "tuning.serving", "tuning.cluster", "tuning.tracking"),
    *("tuning.search", "tuning.registry", "tuning.predict", "tuning.report", "tuning.reproduce"),
    *("tuning.campaign", "tuning.doctor", "tuning.run"),
)


class Import(NamedTuple):
    """One import statement of the code, from module to module, such as ``data.pack.reader``."""

    importer: str
    imported: str
    line: int


def name_module(file: Path, root: Path = ROOT) -> str:
    """Return the dotted name of a module; a package's for its ``__init__.py``."""
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def find_package(module: str) -> str:
    """Return the entry of ``PACKAGES`` that a module belongs to; the module itself where there is none."""
    return next((p for p in PACKAGES if module == p or module.startswith(f"{p}.")), module)


def list_modules(root: Path = ROOT) -> dict[str, Path]:
    """List the code's modules: dotted name to file."""
    return {
        name_module(file, root): file
        for folder in CODE
        for file in sorted((root / folder).rglob("*.py"))
    }


@cache
def find_imports(root: Path = ROOT) -> tuple[Import, ...]:
    """Find every import of one of the code's modules by another, those inside functions included."""
    modules = list_modules(root)
    return tuple(
        Import(name, module, line)
        for name, file in modules.items()
        for module, line in _walk_imports(file, set(modules))
    )


def _walk_imports(file: Path, modules: set[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((a.name, node.lineno) for a in node.names if a.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name, node.lineno) for name in inner if name in modules)
            if any(name not in modules for name in inner):
                yield node.module, node.lineno


def describe_package(package: str, root: Path = ROOT) -> str:
    """Return the first line of a package's docstring."""
    path = root / package.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]


def draw(path: Path = PICTURE) -> None:
    """Draw the packages, what each is for, and a dot for each package that it imports."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    pairs = {(find_package(i.importer), find_package(i.imported)) for i in find_imports()}
    count = len(PACKAGES)
    figure, axes = plt.subplots(figsize=(13, 8))
    for row, package in enumerate(PACKAGES):
        axes.plot([-0.4, row], [row, row], color="0.92", lw=7, solid_capstyle="butt", zorder=0)
        axes.plot([row, row], [row, count - 0.6], color="0.85", lw=0.8, zorder=1)
        axes.plot(row, row, marker="s", ms=10, color="0.55", zorder=2)
        axes.text(row + 0.7, row, package, va="center", family="monospace", fontsize=10)
        axes.text(row + 7.0, row, describe_package(package), va="center", fontsize=9, color="0.3")
        found = [column for column in range(row) if (package, PACKAGES[column]) in pairs]
        axes.plot(found, [row] * len(found), "o", ms=7, color="#1f5fa8", zorder=3)
    note = "A dot: the package of its row (square at the right end)\nimports the package of its column (square at the top)."
    axes.text(-0.4, count + 0.4, note, va="top", fontsize=9, color="0.3")
    axes.set(xlim=(-1, count + 22), ylim=(count + 2, -1))
    axes.set_axis_off()
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    draw()
    print(PICTURE)
