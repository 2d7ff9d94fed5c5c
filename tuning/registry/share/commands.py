"""The commands `export`, `push` and `pull` of `python -m tuning.registry`."""

import argparse
from collections.abc import Callable

from tuning.registry.resolve import open_registry
from tuning.registry.share.export import check_target, export
from tuning.registry.share.hub import read_address
from tuning.registry.share.pull import pull
from tuning.registry.share.push import push
from tuning.tracking.client import check_writable, connect


def _name_version(args: argparse.Namespace) -> str:
    return str(args.model if args.version is None else f"{args.model}/{args.version}")


def _export(args: argparse.Namespace) -> str:
    check_target(args.to)
    return export(open_registry(args.root), _name_version(args), args.to)


def _push(args: argparse.Namespace) -> str:
    read_address(args.to)
    client = open_registry(args.root)
    options = {"private": args.private, "untrusted": args.untrusted}
    return push(client, _name_version(args), args.to, **options)


def _pull(args: argparse.Namespace) -> str:
    read_address(args.address)  # before a database is made: a registry may begin with a pull
    client, experiment_id = connect(args.root)
    check_writable(client, args.root)
    return pull(client, experiment_id, args.address, args.name, untrusted=args.untrusted)


# Each returns its text for the terminal.
COMMANDS: dict[str, Callable[[argparse.Namespace], str]] = {
    "export": _export,
    "push": _push,
    "pull": _pull,
}
