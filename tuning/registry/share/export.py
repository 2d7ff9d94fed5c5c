"""A registered network as one ONNX file, which any program with an ONNX runtime can use."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from mlflow.tracking import MlflowClient

from data.io.durable import write_atomically
from tuning.registry.comparable import make_printable
from tuning.registry.resolve import URI, resolve_version
from tuning.registry.trust import examine_registered
from tuning.serving.onnx_file import examine_onnx, read_onnx
from tuning.serving.program import STEP
from tuning.tracking.model_digest import PROGRAM, fetch_registered

SUFFIX = ".onnx"
_MAX_CHARS = 300  # of a text that the file holds
# What is printed of a file's own texts, and their names in it.
_SHOWN = {
    "input": "channels",
    "unit": "unit",
    "acquisitions": "acquisitions",
    "height and width, multiples of (px)": STEP,
    "threshold": "threshold",
    "licence": "licence",
}


def export(client: MlflowClient, model: str, target: Path) -> str:
    """Write the network of a registered version to a file.

    Args:
        client: MLflow client.
        model: The version as a user names it; see :func:`tuning.registry.resolve.resolve_model_uri`.
        target: File to write, ``*.onnx``, in an existing folder.

    Returns:
        What was written, for the terminal: channels, acquisitions, sizes, threshold, licence.

    Raises:
        FileExistsError: If there is a file already.
        FileNotFoundError: If there is no such folder, or an earlier release logged the model.
        ValueError: If the name ends differently, the model is unknown, or its files are not those that were logged.
    """
    check_target(target)
    version = resolve_version(client, model)
    uri = f"{URI}{version.name}/{version.version}"
    with fetch_registered(client, uri) as folder:
        content = read_onnx(folder / PROGRAM)
        facts = examine_onnx(content, uri)
        write_atomically(target, lambda aside: _write_new(folder / PROGRAM, aside, target))
    warning = examine_registered(client, uri).warning
    lines = [
        f"{target}: {version.name} version {version.version}, {len(content) / 1e6:.1f} MB, ONNX opset {facts.opset}",
        *_describe(facts.metadata),
        *([warning] if warning else []),
    ]
    return "\n".join(lines)


def check_target(target: Path) -> None:
    """Refuse a file that exists, another suffix than ``.onnx``, or a folder that does not exist.

    Raises:
        FileExistsError: If the file exists, also as a broken link.
        FileNotFoundError: If its folder does not exist.
        ValueError: If the suffix is another.
    """
    if target.suffix != SUFFIX:
        raise ValueError(f"The file must end in {SUFFIX}, but got --to {target}. Rename it.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"The file's folder must exist, but {target.parent} does not. Make it, or choose another with --to."
        )
    if os.path.lexists(target):
        raise _exists_error(target)


def _exists_error(target: Path) -> FileExistsError:
    return FileExistsError(
        f"An export must not overwrite a file, but {target} exists. Choose another with --to, or move it away."
    )


def _write_new(source: Path, aside: Path, target: Path) -> None:
    """Copy a file beside its target, unless that has appeared meanwhile."""
    shutil.copyfile(source, aside)
    if os.path.lexists(target):
        raise _exists_error(target)


def _describe(metadata: Mapping[str, str]) -> list[str]:
    """Return a line for each text of a file that a user of it needs."""
    found = {label: metadata.get(name, "") for label, name in _SHOWN.items()}
    texts = {
        label: text if text.isprintable() and len(text) <= _MAX_CHARS else make_printable(text)
        for label, text in found.items()
    }
    return [f"  {label}: {text or 'not stated'}" for label, text in texts.items()]
