"""Networks from outside this project on their way to the processes that train them: the texts of their source files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.io.durable import write_atomically
from data.pack.node_cache import cache_folder
from models import get_architecture, list_models, recall_network
from models.outside.locate import locate
from tuning.trial.config import OUTSIDE
from tuning.trial.folder import Config


@dataclass(frozen=True)
class ShippedNetwork:
    """A network from outside, as Ray sends it to a worker.

    Attributes:
        name: Its key.
        reference: What finds it.
        digest: Hash of its source files.
        sources: Their texts by relative path; empty if every node must have its package installed.
    """

    name: str
    reference: str
    digest: str
    sources: Mapping[str, str]


def describe_outside(model: str) -> Config:
    """Return the config values of a network from outside: where its class is, and its files' hash; nothing for others."""
    made = get_architecture(model) if model in list_models() else None
    if made is None or not made.is_outside:
        return {}
    return dict(zip(OUTSIDE, (made.reference, made.digest), strict=True))


def ship_networks(models: Iterable[str]) -> tuple[ShippedNetwork, ...]:
    """Pack the networks from outside among these architectures."""
    outside = [made for made in map(get_architecture, models) if made.is_outside]
    return tuple(
        ShippedNetwork(made.name, made.reference, made.digest, made.sources) for made in outside
    )


def receive_networks(networks: Iterable[ShippedNetwork], folder: Path | None = None) -> None:
    """Make shipped networks known to this process.

    A file that is here with the same content is used where it is, because it may read other files beside it; else the copies.

    Args:
        networks: The networks.
        folder: Where copies of their source files are kept (default: in this node's cache).

    Raises:
        ValueError: If a package is not installed here, has another version, or a file cannot be imported here.
    """
    folder = folder or cache_folder() / "networks"
    for one in networks:
        root = None
        if one.sources and not _is_here(one):
            root = folder / f"{one.name}-{one.digest}"
            for name, text in one.sources.items():
                _write(root / name, text)
        recall_network(one.name, one.reference, one.digest, root, sent=True)


def _is_here(network: ShippedNetwork) -> bool:
    if ".py:" not in network.reference:
        return False
    try:
        return locate(network.reference).digest == network.digest
    except (OSError, ValueError):
        return False


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))
