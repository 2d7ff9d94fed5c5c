"""`python -m data.fetch`: download the real tiles."""

import argparse
import logging
import shlex
import sys
from pathlib import Path

from tqdm.contrib.logging import logging_redirect_tqdm

from data.fetch.download import check_request, fetch
from data.fetch.hub import (
    REPO,
    VERSIONS,
)
from data.fetch.listing import FetchError
from data.fetch.manifest import (
    read_manifest,
)
from data.tiles import ORBITS


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 for a wrong request, 1 for a failure, 130 if interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m data.fetch", description="Fetch the real Hokkaido tiles."
    )
    parser.add_argument("--to", type=Path, required=True, metavar="PATH", help="tile folder")
    parser.add_argument("--version", default="harmonized", help=" or ".join(VERSIONS))
    parser.add_argument("--orbits", nargs="+", default=ORBITS, metavar="NAME", help="default: both")
    parser.add_argument("--s2", action="store_true", help="Sentinel-2 as well")
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit of the data set")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every request
    modalities = (*args.orbits, "s2") if args.s2 else args.orbits
    try:
        check_request(args.version, modalities)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    request = {"version": args.version, "modalities": modalities, "revision": args.revision}
    try:
        with logging_redirect_tqdm():
            summary = _summarise(fetch(args.to, **request))
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"interrupted: what is finished is kept in {args.to}; the same command continues",
            file=sys.stderr,
        )
        return 130
    print(summary)
    return 0


def _summarise(root: Path) -> str:
    """Say what the folder holds and what comes next."""
    manifest = read_manifest(root)
    if manifest is None:
        raise FetchError(
            f"A fetched folder must have its manifest, but it is gone from {root}. Fetch again."
        )
    lines = []
    for modality in manifest["modalities"]:
        names = [name for name in manifest["files"] if name.startswith(f"{modality}/")]
        size = sum((root / name).stat().st_size for name in names)
        lines.append(f"{modality}: {len(names)} tiles, {size / 1e6:.1f} MB")
    return "\n".join(
        [
            *lines,
            f"Folder: {root} ({manifest['version']}, {REPO} at {manifest['revision'][:10]})",
            "Data: CC BY 4.0, Höhn et al. 2025, doi 10.1038/s41597-025-06167-2",
            f"Next: python -m data.check {shlex.quote(str(root))}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
