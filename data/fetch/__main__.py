"""`python -m data.fetch`: download the real tiles."""

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from data.command.choices import DATA_VERSIONS, DEFAULT_REGION, ORBITS, list_region_names
from data.command.command import INTERRUPTED, bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_data_version, make_parser

if TYPE_CHECKING:
    from data.fetch.manifest import FetchManifest


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, 1 if the fetch fails, 2 for an invalid argument, 130 if interrupted."""
    args = command_parser().parse_args(argv)
    from tqdm.contrib.logging import logging_redirect_tqdm

    from data.fetch.download import fetch

    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs every request
    modalities = (*args.orbits, "s2") if args.s2 else args.orbits
    writes_to(args.to, option="--to")
    try:
        with bad_arguments(ValueError), logging_redirect_tqdm():
            manifest = fetch(
                args.to,
                version=args.data_version,
                modalities=modalities,
                regions=args.region,
                revision=args.revision,
            )
    except KeyboardInterrupt:
        print(
            f"interrupted: finished archives are kept in {args.to}; the same command continues",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(_format_summary(args.to, manifest))
    return 0


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "data.fetch",
        "Download tiles of Sen12Landslides from the Hugging Face hub. The same command continues an "
        "interrupted download; another --region adds to the folder.",
        example="--to tiles --region hokkaido",
    )
    tiles = parser.add_argument_group("tiles")
    tiles.add_argument(
        "--region",
        nargs="+",
        default=[DEFAULT_REGION],
        metavar="NAME",
        help=f"inventories to download: {', '.join(list_region_names())}, or all (default: {DEFAULT_REGION})",
    )
    tiles.add_argument(
        "--orbits",
        nargs="+",
        default=ORBITS,
        metavar="NAME",
        help=f"Sentinel-1 orbits to download: {', '.join(ORBITS)} (default: both)",
    )
    tiles.add_argument("--s2", action="store_true", help="download Sentinel-2 as well")
    add_data_version(parser, tiles, DATA_VERSIONS)
    tiles.add_argument(
        "--revision",
        metavar="REV",
        help="branch, tag or commit of the data set (default: that of the folder, else main)",
    )
    parser.add_argument_group("output").add_argument(
        "--to", type=Path, required=True, metavar="PATH", help="tile folder, created if missing"
    )
    return parser


def _format_summary(root: Path, manifest: "FetchManifest") -> str:
    """Return tiles and size of each modality, by region, the source, and the next command."""
    from data.fetch.hub import REPO

    lines = []
    for modality in manifest.modalities:
        sizes = [(root / tile).stat().st_size for tile in manifest.list_tiles(modality)]
        counts = ", ".join(f"{name} {n:,}" for name, n in manifest.count_regions(modality).items())
        lines.append(f"{modality}: {len(sizes):,} tiles ({counts}), {sum(sizes) / 1e6:,.1f} MB")
    return "\n".join(
        [
            *lines,
            f"Folder: {root} ({manifest.version}, {REPO} at {manifest.revision[:10]})",
            "Data: CC BY 4.0, Höhn et al. 2025, doi 10.1038/s41597-025-06167-2",
            f"Next: python -m data.check {shlex.quote(str(root))}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
