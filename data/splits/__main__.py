"""`python -m data.splits`: audit the splits of a folder of tiles."""

import json
import sys

from data.splits.audit import _is_terminal, _parse, as_document, as_table, audit_splits, draw_audit
from data.splits.split_map import save_map


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, 1 for a tile or map that fails, or 2 for a wrong request."""
    args = _parse(argv)
    try:
        audit = audit_splits(args.tiles, list(dict.fromkeys(args.split)), progress=_is_terminal())
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        save_map(draw_audit(audit), args.map)
    except OSError as error:
        print(f"error: The map must be writable, but got {error}.", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(as_document(audit) | {"map": str(args.map)}, indent=1))
    else:
        print(as_table(audit), f"Map: {args.map}", sep="\n")
    return 1 if audit.found.unusable else 0


if __name__ == "__main__":
    sys.exit(main())
