"""Make a campaign's bundle: collected, written, and verified before it gets its name."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from data.io.durable import write_atomically
from tuning.bundle.archive import zip_files
from tuning.bundle.collect import collect_bundle
from tuning.bundle.verify import describe_differences, verify_bundle


@dataclass(frozen=True)
class Made:
    """A bundle that was written: its campaign, its bytes and its SHA-256."""

    campaign: str
    size: int
    sha256: str


def make_bundle(root: Path, campaign: str | None, path: Path) -> Made:
    """Write a campaign's bundle.

    Args:
        root: Output folder.
        campaign: The campaign; the latest if None.
        path: The zip file.

    Raises:
        ValueError: As :func:`tuning.bundle.collect.collect_bundle`; or if the report's tables do not follow from the runs, as
            after runs were added.
    """
    name, files = collect_bundle(root, campaign)
    content = zip_files(files)

    def write(aside: Path) -> None:
        aside.write_bytes(content)
        if differences := verify_bundle(aside).differences:
            raise ValueError(
                f"The tables of a report must follow from its runs, but {len(differences):,} cells of campaign {name!r} do not. "
                f"Write its report again with `python -m tuning.report --campaign {name}`. These differ:\n"
                f"{describe_differences(differences)}"
            )

    write_atomically(path, write)
    return Made(name, len(content), hashlib.sha256(content).hexdigest())
