"""Hostile files for the tests: pickles that execute code, archives that expand, deeply nested JSON."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

DEEP = "[" * 100_000


class Canary:
    """An object whose unpickling creates a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


def write_pickled_npz(path: Path, canary: Path, *names: str) -> Path:
    objects = np.array([Canary(canary)], dtype=object)
    np.savez(path, **dict.fromkeys(names, objects))
    return path


def write_growing_npz(path: Path, name: str, megabytes: int) -> Path:
    """Write an array of zeros, compressed a thousandfold."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (megabytes * 2**20,)}
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(megabytes):
            member.write(bytes(2**20))
    return path


def write_sparse(path: Path, size: int) -> Path:
    """Write a sparse file of the given size."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
    return path


def fires(path: Path, canary: Path) -> bool:
    """Return whether unsafe unpickling executes code; delete the file that it created."""
    with path.open("rb") as file:
        pickle.load(file)  # noqa: S301 - that is what the tests are about
    acted = canary.exists()
    canary.unlink(missing_ok=True)
    return acted
