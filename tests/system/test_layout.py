"""The layout of the packages: their order, cycles, sizes, tests; and that ``platform/`` hides no standard module."""

import ast
import platform
import subprocess
import sys
import sysconfig
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from setuptools import find_packages

from docs.packages import CODE, PACKAGES, find_imports, find_package, list_modules

ROOT = Path(__file__).parents[2]
STDLIB = Path(sysconfig.get_path("stdlib")) / "platform.py"


def test_platform_folder_is_no_package() -> None:
    assert list((ROOT / "platform").rglob("*.md"))  # the folder exists
    for folder in ("platform", "docker", "mlruns"):
        assert list((ROOT / folder).rglob("__init__.py")) == []


def test_platform_is_the_standard_library_s_under_pytest() -> None:
    assert platform.__file__ == str(STDLIB)


def test_platform_is_the_standard_library_s_from_the_root() -> None:
    code = "import platform; print(platform.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(STDLIB)


def test_wheel_contains_only_the_code_folders() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setup["packages"]["find"]["include"] == ["data*", "models*", "tuning*"]
    packages = find_packages(str(ROOT), include=["data*", "models*", "tuning*"])
    assert {name.partition(".")[0] for name in packages} == set(CODE)


def test_every_module_belongs_to_a_listed_package() -> None:
    unlisted = [name for name in list_modules() if find_package(name) not in (*PACKAGES, *CODE)]
    assert unlisted == []


def test_packages_import_only_earlier_packages() -> None:
    order = {name: number for number, name in enumerate(PACKAGES)}
    wrong = [
        f"{made.importer}:{made.line} imports {made.imported}"
        for made in find_imports()
        if order[find_package(made.importer)] < order[find_package(made.imported)]
    ]
    assert wrong == []


def test_imports_have_no_cycle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in list_modules()}
    for made in find_imports():
        graph[made.importer].add(made.imported)
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle


def test_packages_have_at_most_15_files() -> None:
    files = [file for file in list_modules().values() if file.name != "__init__.py"]
    sizes = Counter(file.parent.relative_to(ROOT).as_posix() for file in files)
    assert {name: count for name, count in sizes.items() if count > 15} == {}


def test_init_files_only_import_names() -> None:
    inits = [file for file in list_modules().values() if file.name == "__init__.py"]
    late = "(__getattr__, __dir__, __all__)"  # the names of a stub beside it, imported at first use
    other_statements = {
        file.relative_to(ROOT).as_posix(): type(node).__name__
        for file in inits
        for node in ast.parse(file.read_text()).body[1:]
        if not isinstance(node, ast.ImportFrom)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", late))
        and ast.unparse(node) != "import lazy_loader"
    }
    assert other_statements == {}


def test_init_files_in_tuning_import_nothing() -> None:
    # Otherwise a Ray worker that imports tuning.search.trainable would load Optuna and MLflow.
    inits = {name for name, file in list_modules().items() if file.name == "__init__.py"}
    importers = inits & {made.importer for made in find_imports()}
    assert [name for name in importers if name.startswith("tuning")] == []


def test_every_module_is_used() -> None:
    imported = {made.imported for made in find_imports()}
    texts = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("tests", "benchmarks", "docs", "platform", "docker", *CODE)
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".md", ".sh", ".yaml"}
    )
    unused = [
        name
        for name, file in list_modules().items()
        if name not in imported
        and file.name not in ("__init__.py", "__main__.py")
        and not (name.startswith("models.") and not file.name.startswith("_"))  # found by its name
        and name not in texts  # a command, or a path in a string
    ]
    assert unused == []


def test_tests_mirror_the_packages() -> None:
    stems: dict[str, set[str]] = {}
    for name, file in list_modules().items():
        package = find_package(name)
        stems.setdefault(package, {package.rpartition(".")[2]}).add(file.stem.strip("_"))
    misplaced = []
    for package in PACKAGES:
        for test in (ROOT / "tests" / package.replace(".", "/")).glob("test_*.py"):
            topic = test.stem.removeprefix("test_")
            if not any(topic == stem or topic.startswith(f"{stem}_") for stem in stems[package]):
                misplaced.append(test.relative_to(ROOT).as_posix())
    assert misplaced == []


def test_contributing_lists_every_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in PACKAGES if f"`{name}`" not in text] == []


@pytest.mark.slow
def test_platform_is_the_standard_library_s_inside_a_ray_worker() -> None:
    code = (
        "import ray\nray.init('local', num_cpus=1, include_dashboard=False, log_to_driver=False)\n"
        "def where():\n    import platform\n    return platform.__file__\n"
        "print(ray.get(ray.remote(where).remote()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith(str(STDLIB)), done.stderr
