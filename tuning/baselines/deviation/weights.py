"""The trained weights of DIST-S1's transformer: where they come from, and that they are the published ones.

This package holds them (``NOTICE.md`` beside them: licence and source). The variable ``DIST_S1_WEIGHTS`` names others: a file
(``.safetensors``, or one of ``torch.save``), or ``distmetrics`` for those of the installed package. Of the nine sets of
``distmetrics`` 1.0.8, ``transformer_optimized`` is the one that the operational workflow applies by default
(``DEFAULT_MODEL_SOURCE`` of ``dist-s1``); it is also among the smallest.
"""

import hashlib
import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from data.io.safe_checkpoint import load_tensors
from data.io.safe_json import RefusedError, check_file_size, refused_error
from tuning.baselines.deviation.network import DistS1Network

VARIABLE, PACKAGE = "DIST_S1_WEIGHTS", "distmetrics"
OWN_FILE = Path(__file__).parent / "transformer_optimized.safetensors"
PACKAGE_FILE = Path("model_data", "transformer_optimized", "weights.pth")
MAX_BYTES = 2**26
# Of names and values, so that it is the same for every file that holds these weights.
SHA256 = "ee64abeb9bf9ec01bcf37c0c492ce6fa8a6633508c8b8f377ce6665778829845"
_REMEDY = (
    f"Unset {VARIABLE} to use the weights of this package, or name a file with the weights of "
    f"{PACKAGE} 1.0.8's transformer_optimized."
)


def find_weights() -> str:
    """Return what ``DIST_S1_WEIGHTS`` names, or the path of the package's own file."""
    return os.environ.get(VARIABLE) or str(OWN_FILE)


@lru_cache(maxsize=4)
def load_network(source: str) -> tuple[DistS1Network, str]:
    """Build the transformer with its weights, on the CPU and in eval mode.

    Args:
        source: Path of a file, or ``distmetrics`` for the installed package.

    Returns:
        The transformer, and the SHA-256 of its weights (:func:`hash_weights`).

    Raises:
        RefusedError: If the file is missing or damaged, holds other tensors or a pickle of more than tensors, or if the
            weights of either package are not the published ones.
    """
    path = _find_package() / PACKAGE_FILE if source == PACKAGE else Path(source)
    weights = _read(path)
    network = DistS1Network()
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        rule = "Weights must have the names and shapes of DIST-S1's transformer"
        got = " ".join(str(error).split()).partition("DistS1Network: ")[2] or type(error).__name__
        raise refused_error(rule, got, path, _REMEDY) from error
    found = hash_weights(network.state_dict())
    if found != SHA256 and (source == PACKAGE or path == OWN_FILE):
        rule = f"The weights of a package must have the SHA-256 {SHA256}"
        raise refused_error(rule, found, path, "Install the package again.")
    return network.eval().requires_grad_(False), found


def hash_weights(weights: dict[str, Tensor]) -> str:
    """Return the SHA-256 over the names and float32 values of all tensors, sorted by name."""
    total = hashlib.sha256()
    for name in sorted(weights):
        total.update(name.encode())
        total.update(weights[name].detach().to(torch.float32).contiguous().numpy().tobytes())
    return total.hexdigest()


def _find_package() -> Path:
    spec = find_spec(PACKAGE)  # found without being imported
    if spec is None or not spec.submodule_search_locations:
        raise RefusedError(
            f"{VARIABLE}={PACKAGE} needs the package {PACKAGE}, but got none in this environment. "
            f"Install it (Python 3.12 or later), or unset {VARIABLE} to use the same weights of this package."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _read(path: Path) -> dict[str, Any]:
    """Read the tensors of a file by name; a checkpoint of training holds them beside its optimiser's."""
    try:
        check_file_size(path, MAX_BYTES)
        if path.suffix == ".safetensors":
            return dict(load(path.read_bytes()))
        content = load_tensors(path)
    except OSError as error:
        rule = "The weights of DIST-S1's transformer must be a file"
        raise refused_error(rule, error.strerror or error, path, _REMEDY) from error
    except SafetensorError as error:
        rule = "Weights must be a whole safetensors file"
        raise refused_error(rule, error, path, _REMEDY) from error
    except RefusedError as error:
        raise RefusedError(f"{error} {_REMEDY}") from error
    inner = content.get("model_state_dict", content)
    return inner if isinstance(inner, dict) else content
