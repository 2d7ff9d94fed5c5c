import ast
import platform
import re
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
    ask = [sys.executable, "-c", "import platform; print(platform.__file__)"]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(STDLIB)


def test_wheel_holds_the_code_s_folders_alone() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setup["packages"]["find"]["include"] == ["data*", "models*", "tuning*"]
    found = {
        name.partition(".")[0]
        for name in find_packages(str(ROOT), include=["data*", "models*", "tuning*"])
    }
    assert found == set(CODE)


def test_every_module_belongs_to_a_listed_package() -> None:
    tops = {*CODE}
    lost = [
        name for name in list_modules() if find_package(name) not in PACKAGES and name not in tops
    ]
    assert lost == []


def test_packages_import_only_what_stands_before_them() -> None:
    place = {name: number for number, name in enumerate(PACKAGES)}
    found = [
        f"{made.importer}:{made.line} imports {made.imported}"
        for made in find_imports()
        if place[find_package(made.importer)] < place[find_package(made.imported)]
    ]
    assert found == []


def test_modules_import_each_other_in_no_cycle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in list_modules()}
    for made in find_imports():
        graph[made.importer].add(made.imported)
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle


def test_packages_have_at_most_15_files() -> None:
    files = [file for file in list_modules().values() if file.name != "__init__.py"]
    sizes = Counter(file.parent.relative_to(ROOT).as_posix() for file in files)
    assert {name: count for name, count in sizes.items() if count > 15} == {}


def test_init_files_only_hand_names_on() -> None:
    inits = [file for file in list_modules().values() if file.name == "__init__.py"]
    held = {
        file.relative_to(ROOT).as_posix(): type(node).__name__
        for file in inits
        for node in ast.parse(file.read_text()).body[1:]
        if not isinstance(node, ast.ImportFrom)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    }
    assert held == {}


def test_packages_of_ray_workers_import_nothing_by_themselves() -> None:
    # A worker that imports tuning.search.trainable would else load Optuna and MLflow before its first step.
    inits = [name for name, file in list_modules().items() if file.name == "__init__.py"]
    held = [made for made in find_imports() if made.importer in inits]
    assert {made.importer.partition(".")[0] for made in held} <= {"data", "models"}


def test_every_module_is_used() -> None:
    used = {made.imported for made in find_imports()}
    commands = {name for name in list_modules() if name.endswith("__main__")} | {"tuning.run"}
    texts = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("tests", "benchmarks", "docs", "platform", "docker", "tuning", "data")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".md", ".sh", ".yaml"}
    )
    unused = [
        name
        for name, file in list_modules().items()
        if name not in used | commands
        and file.name != "__init__.py"
        and not (name.startswith("models.") and not file.name.startswith("_"))  # found by name
        and not re.search(
            rf"python3? -m {re.escape(name)}\\b|\"-m\", \"{re.escape(name)}\"|{re.escape(name)}",
            texts,
        )
    ]
    assert unused == []


def test_tests_mirror_the_packages() -> None:
    stems: dict[str, set[str]] = {}
    for name, file in list_modules().items():
        package = find_package(name)
        stems.setdefault(package, {package.rpartition(".")[2]}).add(file.stem.strip("_"))
    wrong = []
    for package in PACKAGES[:-1]:
        for test in (ROOT / "tests" / package.replace(".", "/")).glob("test_*.py"):
            word = test.stem.removeprefix("test_")
            if not any(word == stem or word.startswith(f"{stem}_") for stem in stems[package]):
                wrong.append(test.relative_to(ROOT).as_posix())
    assert wrong == []


def test_import_order_is_told_in_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in PACKAGES if f"`{name}`" not in text] == []


def test_help_needs_no_heavy_library() -> None:
    ask = (
        "import sys\nimport tuning.run\ntry:\n    tuning.run.main(['--help'])\nexcept SystemExit:\n"
        "    print([name for name in ('torch', 'ray', 'mlflow', 'xarray') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("[]\n"), done.stderr


@pytest.mark.slow
def test_platform_is_the_standard_library_s_inside_a_ray_worker() -> None:
    ask = (
        "import ray\nray.init('local', num_cpus=1, include_dashboard=False, log_to_driver=False)\n"
        "def where():\n    import platform\n    return platform.__file__\n"
        "print(ray.get(ray.remote(where).remote()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith(str(STDLIB)), done.stderr
