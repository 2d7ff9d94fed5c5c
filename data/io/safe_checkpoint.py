"""Load checkpoints from outside: size-limited, and with tensors and plain values alone.

``torch.load(weights_only=True)`` refuses a pickle that runs code. It still unpacks compressed members of any size, so
they are refused first; ``torch.save`` compresses nothing.
"""

import zipfile
from pathlib import Path
from typing import Any

import torch

from data.io.safe_json import RefusedError, check_file_size, refused_error, show_value

# The largest network of the search space has 0.3 GB, and a last.pt three times its network.
MAX_CHECKPOINT_BYTES = 2**31

_RULE = "A checkpoint must be a file that training wrote"
_REMEDY = "Use a file that training wrote, or train again in a new folder."


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Load a dict that ``torch.save`` wrote.

    Args:
        path: A file of at most 2 GiB.
        device: Device to load the tensors to.

    Returns:
        Tensors and plain values by name.

    Raises:
        RefusedError: If the file is too large or damaged, has compressed members, or holds a pickle of more than
            tensors and plain values.
        OSError: If it cannot be read.
    """
    check_file_size(path, MAX_CHECKPOINT_BYTES)
    try:
        _check_members(path)
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RefusedError):
        raise
    except Exception as error:  # a damaged or hostile file raises almost any type
        raise checkpoint_error(error, path) from error
    if not isinstance(content, dict):
        raise refused_error(_RULE, f"a {type(content).__name__}", path, _REMEDY)
    return content


def checkpoint_error(error: Exception, path: Path) -> RefusedError:
    """Return the error for an unusable checkpoint, with the first line of *error*."""
    got = f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
    return refused_error(_RULE, show_value(got), path, _REMEDY)


def _check_members(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                rule = "A checkpoint's members must not be compressed"
                raise refused_error(rule, show_value(member.filename), path, _REMEDY)
