"""The arguments of `export`, `push` and `pull` of `python -m tuning.registry`; imports nothing heavy."""

import argparse
from pathlib import Path
from typing import Any

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
