"""The packages of this project in import order; ``python docs/packages.py`` draws their imports.

A package may import only packages before it in ``PACKAGES``; ``tests/system/test_layout.py`` checks this.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
CODE = ("data", "models", "tuning")  # the installed folders
PICTURE = ROOT / "docs" / "packages.png"

PACKAGES = (
    *(
        "data.io",
        "data.command",
        "data.values",
        "data.tiles",
        "data.twin",
        "data.fetch",
        "data.check",
    ),
    *("data.splits", "data.pack"),
    *("data.cubes", "data.search", "data.assemble", "data.scene"),
    *("models", "tuning.own_packages"),
    *("tuning.metrics", "tuning.statistics"),
    *(
        "tuning.objects",
        "tuning.trial",
        "tuning.replay",
        "tuning.train",
        "tuning.baselines",
        "tuning.settings",
    ),
    *("tuning.plots", "tuning.page", "tuning.serving", "tuning.cluster"),
    *(
        "tuning.store",
        "tuning.tracking",
        "tuning.search",
        "tuning.registry",
        "tuning.predict",
        "tuning.days",
        "tuning.report",
    ),
    *("tuning.worlds", "tuning.reproduce", "tuning.campaign", "tuning.matrix"),
    *("tuning.bundle", "tuning.verify", "tuning.score", "tuning.leaderboard"),
    *("tuning.doctor", "tuning.run", "tuning.api", "tuning.command_line"),
)


class Import(NamedTuple):
    """One import of a module by another, such as ``data.pack.reader``."""

    importer: str
    imported: str
    line: int


def find_package(module: str) -> str:
    """Return the entry of ``PACKAGES`` that contains a module, else the module itself."""
    return next((p for p in PACKAGES if module == p or module.startswith(f"{p}.")), module)


def list_modules() -> dict[str, Path]:
    """Return the file of every module by its dotted name; an ``__init__.py`` has the name of its package."""
    files = [file for folder in CODE for file in sorted((ROOT / folder).rglob("*.py"))]
    names = (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


@cache
def find_imports() -> tuple[Import, ...]:
    """Find every import between modules of the code, including those inside functions."""
    modules = list_modules()
    return tuple(
        Import(name, imported, line)
        for name, file in modules.items()
        for imported, line in _parse_imports(file, set(modules))
    )


def _parse_imports(file: Path, modules: set[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((a.name, node.lineno) for a in node.names if a.name in modules)
        elif isinstance(node, ast.ImportFrom) and (base := _name_base(node, file)) in modules:
            for alias in node.names:  # a submodule, or a name that the module defines
                submodule = f"{base}.{alias.name}"
                yield (submodule if submodule in modules else base), node.lineno
    stub = file.with_suffix(".pyi")  # of a package whose names are imported late
    if stub != file and stub.is_file():
        yield from _parse_imports(stub, modules)


def _name_base(node: ast.ImportFrom, file: Path) -> str:
    """Return the module after ``from``; after one dot, one of the file's own package."""
    package = [".".join(file.parent.relative_to(ROOT).parts)] if node.level else []
    return ".".join([*package, *([node.module] if node.module else [])])


def describe_package(package: str) -> str:
    """Return the first line of a package's docstring."""
    tree = ast.parse(list_modules()[package].read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").splitlines()[0]


def draw(path: Path = PICTURE) -> None:
    """Draw a row for each package: its name, its description, and a dot for each package that it imports."""
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
        text = describe_package(package).replace("``", "")
        beside = row + 1.6 + 0.49 * len(package)  # a little beyond the name
        axes.text(beside, row, text, va="center", fontsize=9, color="0.3")
        columns = [column for column in range(row) if (package, PACKAGES[column]) in pairs]
        axes.plot(columns, [row] * len(columns), "o", ms=7, color="#1f5fa8", zorder=3)
    note = "A dot: the package in this row (named at the right end)\nimports the package in this column (named at the top)."
    axes.text(-0.4, count + 0.4, note, va="top", fontsize=9, color="0.3")
    axes.set(xlim=(-1, count + 22), ylim=(count + 2, -1))
    axes.set_axis_off()
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    draw()
    print(PICTURE)
