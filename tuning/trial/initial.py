"""Weights from which a training starts instead of random ones, beside the packs as ``init-<hash>.safetensors``.

The file also holds what its network was built with, so the hash in a config stands for both.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
from safetensors.torch import load, save
from torch import Tensor, nn

from data.io.durable import write_atomically
from data.io.errors import list_first
from data.io.safe_json import parse_object, refused_error
from tuning.trial.config import BUILD, OUTSIDE, check_config
from tuning.trial.folder import Config

_DIGITS = 12  # of the hash
_ENTRY = "network"  # of the file's metadata
_SHOWN = 3  # weights in a message
_REMEDY = "Begin a new campaign with --init."

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class InitialNetwork:
    """What a file of weights is of.

    Attributes:
        config: Architecture, its arguments, channels and acquisitions.
        shapes: Shape of each weight by name.
    """

    config: Config
    shapes: Shapes


def find_initial(packs: Path, digest: str) -> Path:
    """Return the file of some weights in the folder of the packs."""
    return packs / f"init-{digest}.safetensors"


def store_initial(weights: Mapping[str, Tensor], config: Config, packs: Path) -> str:
    """Write the weights of a network into the folder of the packs, unless they are there.

    Args:
        weights: Its state by name.
        config: The config of its training; what its network was built with is kept.
        packs: Folder of the packs.

    Returns:
        The hash of weights and network, twelve hex digits.
    """
    built = {name: config[name] for name in (*BUILD, *OUTSIDE) if name in config}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    content = save(tensors, metadata={_ENTRY: json.dumps(built, sort_keys=True)})
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    packs.mkdir(parents=True, exist_ok=True)
    write_atomically(find_initial(packs, digest), lambda aside: aside.write_bytes(content))
    return digest


def read_initial(packs: Path, digest: str) -> InitialNetwork:
    """Read what some weights are of.

    Raises:
        FileNotFoundError: If the folder of the packs lacks the file.
        ValueError: If the file is damaged.
    """
    path = find_initial(packs, digest)
    _read(packs, digest)
    with safetensors.safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(_ENTRY, "")
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return InitialNetwork(check_config(parse_object(text, str(path)), path), shapes)


def load_initial(model: nn.Module, config: Config, packs: Path) -> None:
    """Load the weights that a config names into its new network; nothing without any.

    Raises:
        FileNotFoundError: If the folder of the packs lacks the file.
        ValueError: If it is damaged, or the weights are those of another network.
    """
    if "init" not in config:
        return
    weights = load(_read(packs, config["init"]))
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    if text := compare_shapes(list_shapes(model), shapes):
        raise ValueError(
            f"Weights to start from must be those of the config's network, but {find_initial(packs, config['init'])} has "
            f"others: {text}. {_REMEDY}"
        )
    model.load_state_dict(weights)


def _read(packs: Path, digest: str) -> bytes:
    """Return the content of a file of weights after checking its hash."""
    path = find_initial(packs, digest)
    if not path.is_file():
        raise FileNotFoundError(
            f"A training from given weights needs {path.name} beside its pack, but {packs} has none. Put it back, or begin a "
            "new campaign with --init."
        )
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()[:_DIGITS]) != digest:
        raise refused_error(f"Weights must have the hash {digest}", found, path, _REMEDY)
    return content


def list_shapes(model: nn.Module) -> Shapes:
    """Return the shape of each weight of a network by name."""
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def compare_shapes(wanted: Shapes, found: Shapes) -> str:
    """Describe how weights differ from those that a network needs; empty if they fit.

    Args:
        wanted: Shapes of the network.
        found: Shapes of the weights.
    """
    different = [
        f"{name} {_format(found.get(name))} instead of {_format(wanted.get(name))}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
    return list_first(different, _SHOWN) if different else ""


def _format(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else " x ".join(map(str, shape)) or "one number"
