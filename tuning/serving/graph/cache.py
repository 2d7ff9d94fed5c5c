"""Graphs of networks on disk, so that a network is traced once per user and not once per campaign.

An entry holds a graph without its weights. Its name is a hash of everything that the graph depends on: the network's
arguments, its code, and the packages that trace it. What comes out is compared with the network before it is used
(`tuning.serving.onnx_export`), so a wrong entry costs time alone; one that is missing or damaged is made anew.
"""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from torch import nn

import models
from data.io.durable import write_atomically

logger = logging.getLogger(__name__)

VARIABLE = "LANDSLIDE_GRAPHS"  # another folder; empty: no cache
MAX_FILES = 64
MAX_BYTES = 8 * 2**20  # of an entry; graphs have about 0.1 MB
PACKAGES = ("torch", "onnx", "onnxscript")
_WEIGHTS, _MULTIPLE = "weights", "multiple_px"  # metadata of an entry
_DIGEST = 64  # hex digits before the graph

Graph = tuple[onnx.ModelProto, frozenset[str], int]  # without weights; their names; multiple of px


def cache_folder() -> Path | None:
    """Return the folder of the cache, which may not exist; None if the user has switched it off or has no home."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Path(given).absolute() if given else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:  # the standard says that a relative path is ignored
        folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "landslide" / "graphs"


def hash_network(structure: str, network: nn.Module) -> str:
    """Return the name of a network's entry: a SHA-256 over everything that its graph depends on.

    Args:
        structure: The network's arguments, of :func:`tuning.serving.network.make_structure`.
        network: The network; the files of its own classes, and of all its layers', belong to the hash.
    """
    digest = hashlib.sha256(structure.encode())
    for name in PACKAGES:
        digest.update(f"\n{name} {version(name)}".encode())
    for key, value in network.state_dict().items():
        digest.update(f"\n{key} {tuple(getattr(value, 'shape', ()))}".encode())
    for file in sorted(_list_sources(network)):
        digest.update(f"\n{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def _list_sources(network: nn.Module) -> set[Path]:
    own = Path(__file__)
    serving = own.parents[1]
    files = {serving / "network.py", serving / "onnx_export.py", own, own.with_name("simplify.py")}
    for folder in models.__path__:
        files.update(Path(folder).rglob("*.py"))
    for module in network.modules():
        name = type(module).__module__
        source = getattr(sys.modules.get(name), "__file__", None)
        if source and not name.startswith("torch."):  # its version is part of the hash
            files.add(Path(source))
    return files


def load_graph(structure: str, network: nn.Module) -> Graph | None:
    """Return the stored graph of a network; None if there is none, or it cannot be read."""
    try:
        folder = cache_folder()
        if folder is None:
            return None
        file = folder / f"{hash_network(structure, network)}.onnx"
        if not file.is_file():
            return None
        graph = _parse(_read(file))
        os.utime(file)  # the oldest are removed first
    except (OSError, ValueError, KeyError, DecodeError) as error:
        logger.info("A stored graph is not used, and made anew: %s", error)
        return None
    return graph


def _read(file: Path) -> bytes:
    """Return an entry's graph after a check of its size and digest."""
    if (size := file.stat().st_size) > MAX_BYTES:
        raise ValueError(f"it must have at most {MAX_BYTES:,} bytes, but {file} has {size:,}")
    content = file.read_bytes()
    digest, graph = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(graph).hexdigest().encode() != digest:
        raise ValueError(f"it must be as it was written, but {file} is damaged")
    return graph


def _parse(content: bytes) -> Graph:
    graph = onnx.load_model_from_string(content)
    texts = {one.key: one.value for one in graph.metadata_props}
    weights, multiple = json.loads(texts[_WEIGHTS]), int(texts[_MULTIPLE])
    del graph.metadata_props[:]
    return graph, frozenset(map(str, weights)), multiple


def store_graph(structure: str, network: nn.Module, graph: Graph) -> None:
    """Write a network's graph into the cache, and remove the oldest entries; a folder that cannot be written is left."""
    try:
        folder = cache_folder()
        if folder is None:
            return
        content = _pack(*graph)
        if len(content) > MAX_BYTES:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{hash_network(structure, network)}.onnx"
        write_atomically(file, lambda aside: aside.write_bytes(content))
        for old in _list_oldest(folder):
            old.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        logger.info("A graph is not stored for later campaigns: %s", error)


def _pack(graph: onnx.ModelProto, weights: frozenset[str], multiple: int) -> bytes:
    stored = onnx.ModelProto()
    stored.CopyFrom(graph)
    texts = {_WEIGHTS: json.dumps(sorted(weights)), _MULTIPLE: str(multiple)}
    onnx.helper.set_model_props(stored, texts)
    content: bytes = stored.SerializeToString()
    return hashlib.sha256(content).hexdigest().encode() + content


def _list_oldest(folder: Path) -> Iterator[Path]:
    """Yield the entries beyond ``MAX_FILES``, and what killed processes left half written."""
    times = {}
    for file in folder.glob("*.onnx"):
        try:
            times[file] = file.stat().st_mtime
        except FileNotFoundError:  # another process has just removed it
            continue
    yield from sorted(times, key=lambda file: times[file], reverse=True)[MAX_FILES:]
