"""A temporary folder whose content may be moved or copied to where others read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def working_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder with the mode that the umask gives, and delete it at the end unless it was moved.

    A folder or file of :mod:`tempfile` may be read by its owner alone, and keeps that mode where it is moved or copied to,
    so that a group could not read what was made for it.

    Args:
        parent: Where to make it; the folder for temporary files if None.
    """
    with TemporaryDirectory(prefix=".working-", dir=parent) as private:
        made = Path(private) / "made"
        made.mkdir()
        yield made
