"""The commands `export`, `push` and `pull` of `python -m tuning.registry`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuning.registry.resolve import open_registry
from tuning.registry.share.export import check_target, export
from tuning.registry.share.hub import read_address
from tuning.registry.share.pull import pull
from tuning.registry.share.push import push
from tuning.tracking.client import check_writable, connect

MODEL = "for example unet, hokkaido-unet@champion (the default alias), hokkaido-unet/3"


def add_commands(commands: Any, root: argparse.ArgumentParser) -> None:
    """Add the commands to the parser of `python -m tuning.registry`.

    Args:
        commands: What ``add_subparsers`` returned.
        root: Parser of ``--root``.
    """
    one = commands.add_parser("export", parents=[root], help="write a network to an ONNX file")
    _add_model(one)
    one.add_argument("--to", type=Path, required=True, metavar="FILE.onnx", help="new file")
    one = commands.add_parser("push", parents=[root], help="publish on the Hugging Face hub")
    _add_model(one)
    one.add_argument("--to", required=True, metavar="hf:USER/REPO", help="made if it is missing")
    one.add_argument("--private", action="store_true", help="refused if the repository is public")
    one.add_argument(
        "--untrusted",
        action="store_true",
        help="publish a version that has not passed its gate; its card says so",
    )
    one = commands.add_parser("pull", parents=[root], help="fetch a published model, register it")
    one.add_argument("address", metavar="hf:USER/REPO[@REVISION]", help="branch, tag or commit")
    one.add_argument(
        "--as", dest="name", metavar="NAME", help="registered model (default: its own name)"
    )
    one.add_argument(
        "--untrusted",
        action="store_true",
        help="take a model whose code file is not this release's; it is marked",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument("version", nargs="?", help="number of the version, as `list` shows it")


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
