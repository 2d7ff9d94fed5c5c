"""Checkpoints that somebody else may have written: within limits, and nothing but tensors and plain values unpickled.

``torch.load(weights_only=True)`` refuses a pickle that would run something. It still unpacks members to whatever size
they grow to, so their sizes are looked at first: ``torch.save`` packs none.
"""

import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

from data.io.safe_json import RefusedError, get_file_size, refused_error, show_value

# The largest network of the search space has 0.3 GB, and a last.pt three times its network.
MOST_CHECKPOINT_BYTES = 2**31
MOST_PICKLE_BYTES = 2**24  # of names, shapes and plain values
MOST_MEMBERS = 10_000

_RULE = "A checkpoint must be what training wrote"
_REMEDY = "Take the file that training wrote, or train again in a new folder."
_DAMAGES = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, MemoryError),
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError),
)


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Load what ``torch.save`` wrote of a dict.

    Args:
        path: A file of at most 2 GiB.
        device: Where its tensors are wanted.

    Returns:
        Tensors and plain values by name.

    Raises:
        RefusedError: If the file is too large or damaged, has packed members, or would unpickle more than
            tensors and plain values.
        OSError: If it cannot be read.
    """
    size = get_file_size(path, MOST_CHECKPOINT_BYTES)
    try:
        with path.open("rb") as file:
            _check_members(file, size, path)
            file.seek(0)
            saved = torch.load(file, map_location=device, weights_only=True)
    except RefusedError:
        raise
    except _DAMAGES as error:
        raise checkpoint_error(error, path) from error
    if not isinstance(saved, dict):
        raise refused_error(_RULE, f"a {type(saved).__name__}", path, _REMEDY)
    return saved


def checkpoint_error(error: Exception, path: Path) -> RefusedError:
    """Make the error of a checkpoint in which *error* was found; its first line is told."""
    got = f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
    return refused_error(_RULE, show_value(got), path, _REMEDY)


def _check_members(file: IO[bytes], size: int, path: Path) -> None:
    """Refuse members that are packed, too many, or larger than the file."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        rule = f"A checkpoint must have at most {MOST_MEMBERS:,} members"
        raise refused_error(rule, f"{len(members):,}", path, _REMEDY)
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise refused_error(
                "A checkpoint's members must not be packed",
                show_value(member.filename),
                path,
                _REMEDY,
            )
        if member.filename.endswith(".pkl") and member.file_size > MOST_PICKLE_BYTES:
            rule = f"A checkpoint's plain values must have at most {MOST_PICKLE_BYTES:,} bytes"
            raise refused_error(rule, f"{member.file_size:,}", path, _REMEDY)
    if (total := sum(member.file_size for member in members)) > size:
        raise refused_error(
            "A checkpoint must not grow when read", f"{total:,} of {size:,}", path, _REMEDY
        )
