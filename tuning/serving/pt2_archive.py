"""Reads a network's file as plain data, so that no code in an untrusted file can run.

``torch.export.save`` writes a zip archive with the graph as JSON and the weights as raw bytes. This project never calls
``torch.export.load``, which runs parts of a file as Python: it unpickles payloads marked as pickled, evaluates symbolic
expressions, and compiles guards and node names into code (torch 2.13, `_package.py`, `serialize.py`,
`_unlift.py`, `graph_module.py`). This module checks the file and copies its numbers; `tuning.serving.program` runs the graph
operator by operator. It becomes part of every logged model, so it needs only torch.
"""

import json
import math
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# The largest network of the search space has 0.3 GB. Members are not compressed, so a file cannot grow when read.
MOST_BYTES = 2**30
MOST_JSON_BYTES = 2**26
MOST_MEMBERS = 10_000

GRAPH = "models/model.json"
CONFIGS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
SAMPLES = "data/sample_inputs/model.pt"
STAMPS = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little"}
NOTES = (".data/version", ".data/serialization_id")
PAYLOAD = re.compile(r"data/(?:weights/weight|constants/tensor)_[0-9]{1,5}")

# By torch._export.serde.schema.ScalarType.
DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}


class Pt2Error(ValueError):
    """A network's file is not one that this project writes."""


@dataclass(frozen=True)
class Pt2Archive:
    """The content of a network's file.

    Attributes:
        path: The file.
        program: The graph with its signature, plain JSON.
        weights: Parameters, buffers and constants, by their names in the signature.
    """

    path: Path
    program: dict[str, Any]
    weights: dict[str, Tensor]


def pt2_error(rule: str, got: object, path: Path) -> Pt2Error:
    """Make the error of a broken rule."""
    text = str(got)
    text = text if len(text) <= 200 else f"{text[:200]}…"
    return Pt2Error(
        f"{rule}, but got {text} in {path}. Do not use this file; download the model again from "
        "where it was trained."
    )


def read_archive(path: Path) -> Pt2Archive:
    """Check a network's file and read it.

    Args:
        path: Such as ``artifacts/program.pt2`` of a logged model.

    Returns:
        Graph and weights. The graph is not checked here but in :func:`tuning.serving.pt2_graph.make_graph`.

    Raises:
        FileNotFoundError: If there is no such file.
        Pt2Error: If a member, its size or a payload is not as ``torch.export.save`` writes it, or a
            payload is pickled.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = _list_members(archive, os.fstat(file.fileno()).st_size, path)
            return _read_members(archive, members, path)
    except zipfile.BadZipFile as error:
        raise pt2_error("A network's file must be a complete zip archive", error, path) from error
    except (KeyError, TypeError, AttributeError, RecursionError, UnicodeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise pt2_error(
            "A network's file must be laid out as torch exports it", got, path
        ) from error


def _list_members(archive: zipfile.ZipFile, size: int, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Check all members before any is read; return them by their names below the root folder."""
    found = archive.infolist()
    if size > MOST_BYTES:
        raise pt2_error(f"A network's file must have at most {MOST_BYTES} bytes", size, path)
    if len(found) > MOST_MEMBERS:
        raise pt2_error(
            f"A network's file must have at most {MOST_MEMBERS} members", len(found), path
        )
    if (total := sum(member.file_size for member in found)) > size:
        raise pt2_error(
            "A network's file must not grow when read", f"{total} of {size} bytes", path
        )
    members: dict[str, zipfile.ZipInfo] = {}
    roots = {member.filename.split("/")[0] for member in found}
    for member in found:
        name = member.filename.partition("/")[2]
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise pt2_error(
                "A member must be stored uncompressed", f"{member.filename} compressed", path
            )
        known = {GRAPH, SAMPLES, *CONFIGS.values(), *STAMPS, *NOTES}
        if name not in known and not PAYLOAD.fullmatch(name):
            raise pt2_error(
                "A network's file must hold only known members", repr(member.filename), path
            )
        if name in members or len(roots) > 1:
            raise pt2_error(
                "Each member must be unique and in the root folder", member.filename, path
            )
        members[name] = member
    if missing := sorted({GRAPH, *CONFIGS.values(), *STAMPS} - set(members)):
        raise pt2_error(f"A network's file must hold {', '.join(missing)}", "none", path)
    if SAMPLES in members and members[SAMPLES].file_size:
        got = f"{members[SAMPLES].file_size} bytes"
        raise pt2_error("Sample inputs must be empty, because they are pickled", got, path)
    return members


def _read_members(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], path: Path
) -> Pt2Archive:
    for name, wanted in STAMPS.items():
        if (found := archive.read(members[name])) != wanted:
            raise pt2_error(f"{name} must be {wanted.decode()}", found[:20], path)
    weights: dict[str, Tensor] = {}
    used: set[str] = set()
    for folder, name in CONFIGS.items():
        config = _read_json(archive, members[name], path)["config"]
        for key, meta in config.items():
            member = _find_payload(folder, key, meta, members, path)
            weights[key] = _make_tensor(
                archive.read(members[member]), meta["tensor_meta"], key, path
            )
            used.add(member)
    if spare := sorted({name for name in members if PAYLOAD.fullmatch(name)} - used):
        raise pt2_error("Each payload must belong to a weight", spare[0], path)
    return Pt2Archive(path, _read_json(archive, members[GRAPH], path), weights)


def _read_json(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> dict[str, Any]:
    if member.file_size > MOST_JSON_BYTES:
        got = f"{member.file_size} in {member.filename}"
        raise pt2_error(f"JSON must have at most {MOST_JSON_BYTES} bytes", got, path)
    try:
        content: dict[str, Any] = json.loads(archive.read(member))
    except ValueError as error:
        raise pt2_error(f"{member.filename} must be JSON", error, path) from error
    return content


def _find_payload(
    folder: str, key: str, meta: dict[str, Any], members: dict[str, zipfile.ZipInfo], path: Path
) -> str:
    """Return the member with a weight's raw bytes."""
    if meta["use_pickle"] is not False:
        raise pt2_error("A weight must be raw bytes, never a pickle", f"use_pickle for {key}", path)
    member = f"{folder}{meta['path_name']}"
    if not PAYLOAD.fullmatch(member) or member not in members:
        raise pt2_error("A weight must be a payload of the file", f"{member!r} for {key}", path)
    return member


def _make_tensor(data: bytes, meta: dict[str, Any], key: str, path: Path) -> Tensor:
    """Copy raw bytes into a tensor on the CPU."""
    dtype = DTYPES.get(meta["dtype"])
    sizes = [int(size["as_int"]) for size in meta["sizes"]]
    strides = [int(stride["as_int"]) for stride in meta["strides"]]
    if dtype is None or not data or math.prod(sizes) * dtype.itemsize > len(data):
        got = f"{len(data)} bytes for {sizes} of type {meta['dtype']}"
        raise pt2_error(f"{key} must have a number for each element", got, path)
    try:
        flat = torch.frombuffer(bytearray(data), dtype=dtype)
        offset = int(meta["storage_offset"]["as_int"])
        return flat.as_strided(sizes, strides, offset).clone()
    except (RuntimeError, ValueError) as error:
        raise pt2_error(
            f"{key} must fit in its payload", str(error).split("\n")[0], path
        ) from error
