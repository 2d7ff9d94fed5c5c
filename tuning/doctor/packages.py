"""Checks of the packages: all that the project declares, in the versions that it declares."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tuning.doctor.finding import HOME, INSTALL, CheckResult, fail, ok, warn

PROJECT = "landslide-benchmark"
NAMED = 4  # packages that a line names


def read_requirements(folder: Path = HOME) -> list[Requirement]:
    """Read what the project needs to run.

    Args:
        folder: The checkout. Its ``pyproject.toml`` wins over the record of the installed distribution, which
            is as old as the installation where that is editable.

    Raises:
        LookupError: If there is neither.
    """
    if (file := folder / "pyproject.toml").is_file():
        lines = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        try:
            lines = metadata.requires(PROJECT) or []
        except metadata.PackageNotFoundError as error:
            raise LookupError(
                f"{PROJECT} is not installed, and no pyproject.toml in {folder} says what it needs"
            ) from error
    wanted = [Requirement(line) for line in lines]
    return [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def _open_extras(requirement: Requirement) -> Iterator[Requirement]:
    """Yield a requirement and what its extras need, such as Tune of ``ray[tune]``."""
    yield requirement
    if not requirement.extras:
        return
    try:
        lines = metadata.requires(requirement.name) or []
    except metadata.PackageNotFoundError:
        return
    for further in map(Requirement, lines):
        marker = further.marker
        if not marker or marker.evaluate({"extra": ""}):
            continue  # needed without any extra: the package's own matter
        if any(marker.evaluate({"extra": extra}) for extra in requirement.extras):
            yield further


def find_faults(wanted: list[Requirement]) -> list[str]:
    """Say of each requirement that is not met what is there instead."""
    faults = []
    for one in (one for declared in wanted for one in _open_extras(declared)):
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            faults.append(f"{one.name} is missing ({one.specifier or 'any version'} is needed)")
            continue
        if not one.specifier.contains(version, prereleases=True):
            faults.append(f"{one.name} is {version}, but {one.specifier} is needed")
    return faults


def find_drift(file: Path) -> list[str]:
    """Name the installed packages whose version is not the tested one, which *file* pins."""
    drift = []
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if not text:
            continue
        pin = Requirement(text)
        try:
            version = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            continue  # a tool of the tests
        if not pin.specifier.contains(version, prereleases=True):
            drift.append(f"{canonicalize_name(pin.name)} {version} ({pin.specifier})")
    return drift


def _list(words: list[str]) -> str:
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def check_packages(folder: Path = HOME) -> CheckResult:
    """Check that every declared package is there in a declared version, and whether it is the tested one.

    Args:
        folder: The checkout, with ``pyproject.toml`` and ``constraints.txt`` where they are there.
    """
    try:
        wanted = read_requirements(folder)
    except LookupError as error:
        return fail(str(error.args[0]), f"{INSTALL}, in a checkout of the project")
    if faults := find_faults(wanted):
        return fail(_list(faults), INSTALL)
    found = f"all {len(wanted)} in their declared range (torch {metadata.version('torch')})"
    file = folder / "constraints.txt"
    if not file.is_file():
        return ok(f"{found}; no constraints.txt to compare with")
    if drift := find_drift(file):
        return warn(
            f"{found}, but not the tested version: {_list(drift)}",
            f"{INSTALL} gives the tested ones; numbers may differ until then.",
        )
    return ok(f"{found}, each the tested version")
