"""Which source files the user of this machine has named: a config that somebody else wrote can name files and hashes as well."""

import hashlib
import logging
import os
from pathlib import Path

from models.outside.locate import Located
from models.outside.sources import digest_sources

VARIABLE = "LANDSLIDE_NETWORKS"  # folder of the marks, instead of the usual one
logger = logging.getLogger(__name__)


def give_consent(found: Located) -> None:
    """Note that the user named these files, with their present content; later commands may then find them by a config."""
    mark = _make_mark(found)
    try:
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        logger.warning(
            "Later commands will not import %s, because %s cannot be written: %s",
            found.reference,
            mark.parent,
            error,
        )


def check_consent(found: Located, name: str) -> None:
    """Check that the user of this machine has named a file with this content, before anything of it is run.

    Raises:
        ValueError: If not.
    """
    if not _make_mark(found).is_file():
        raise ValueError(
            f"A network's file must have been named on this machine before a config can have it imported, but the config of "
            f"{name} names {found.reference}, which never was with this content. If you trust {found.root / found.first}, run: "
            f"python -m models.check {found.reference}"
        )


def _make_mark(found: Located) -> Path:
    """Return the file that exists once the user has named these sources at this place."""
    place = f"{found.root / found.first}:{found.attribute}"
    text = f"{place}\0{digest_sources(found.sources, digits=64)}"
    given = os.environ.get(VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(given) if given else Path(base) / "landslide" / "networks"
    return folder / hashlib.sha256(text.encode()).hexdigest()
