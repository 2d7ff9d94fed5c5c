"""The benchmark from Python: run a campaign, read its table, load a model, map a scene. See docs/python.md.

Options have the names of the commands' options with underscores: ``--cpus-per-trial 1`` is ``cpus_per_trial=1``. Nothing heavy
is imported before a function is called.
"""

import argparse
import contextlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tuning.own_packages  # noqa: F401 - first
from data.command.parser import CommandParser
from data.io.errors import unknown_name
from tuning.settings.roots import ROOT, suggest_root

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.pyfunc import PyFuncModel

logger = logging.getLogger(__name__)
_NO_OPTIONS = (argparse.SUPPRESS, "help")
_TABLE, _SUMMARY = "benchmark_master.csv", "summary.json"


class IncompleteError(RuntimeError):
    """A campaign of which something is missing; ``table`` has the ranking of what is done, or is None."""

    def __init__(self, message: str, table: "pd.DataFrame | None") -> None:
        super().__init__(message)
        self.table = table


def run_campaign(root: str | Path = ROOT, **options: Any) -> "pd.DataFrame":
    """Run a campaign as ``python -m tuning.run`` does, or continue one with ``resume="NAME"``.

    Args:
        root: Output folder.
        **options: Options of the command, such as ``model=["unet"]`` and ``preset="smoke"``.

    Returns:
        The ranking, highest mean test AP first: the content of ``benchmark_master.csv``.

    Raises:
        ValueError: If an option is unknown or invalid, or the data cannot be used.
        IncompleteError: If something that was asked for is missing; the campaign can be continued.
        OSError: If the output folder cannot be used, or the tracker does not answer.
    """
    from tuning.run import command_parser, settle

    given = _check_options(command_parser(), options, ("root",))
    folder = Path(root)
    settings, keep_pack = settle(given, folder)
    from tuning.campaign.together import run_campaign as run

    outcome = run(folder, settings, keep_pack=keep_pack)
    if outcome.missing or outcome.table is None:
        raise IncompleteError(
            f"Campaign {settings.campaign} is not complete: {' '.join(outcome.missing)} Continue it with "
            f"run_campaign({str(root)!r}, resume={settings.campaign!r}).",
            outcome.table,
        )
    return outcome.table


def load_table(root: str | Path = ROOT, campaign: str | None = None) -> "pd.DataFrame":
    """Read the ranking of a campaign's report.

    Args:
        root: Output folder.
        campaign: Name of the campaign; that of the latest report if None.

    Returns:
        One row per model; docs/comparison.md describes the columns.

    Raises:
        FileNotFoundError: If there is no report in the output folder.
        ValueError: If there is none of that campaign; the message lists the others.
    """
    import pandas as pd

    files = {file.parent.name: file for file in (Path(root) / "reports").glob(f"*/{_TABLE}")}
    if not files:
        raise FileNotFoundError(
            f"The output folder must hold the report of a campaign, but {Path(root).absolute()} has none. {suggest_root(Path(root))}"
        )
    name = campaign or max(files, key=lambda one: files[one].stat().st_mtime)
    if name not in files:
        raise ValueError(unknown_name("report", name, sorted(files)))
    return pd.read_csv(files[name])


def load_model(model: str, root: str | Path = ROOT) -> "PyFuncModel":
    """Load a registered model.

    Args:
        model: A name such as ``unet`` (its champion), ``hokkaido-unet@challenger`` or ``hokkaido-unet/3``.
        root: Output folder.

    Returns:
        A model whose ``predict(x)`` takes backscatter in dB, ``(B, T, C, H, W)`` with NaN for no data, or the path of a tile,
        and returns probabilities ``(B, H, W)``; a mask with ``params={"mask": True}``.

    Raises:
        ValueError: If there is no such model; the message suggests the nearest name.
        FileNotFoundError: If the output folder has no database.
    """
    from tuning.registry.resolve import load_registered

    return load_registered(Path(root), model)


def predict_scene(
    model: str, scene: str | Path, out: str | Path, root: str | Path = ROOT, **options: Any
) -> dict[str, Any]:
    """Map a scene as ``python -m tuning.predict`` does.

    Args:
        model: As in :func:`load_model`.
        scene: Folder of tiles, a tile's file, a datacube or a folder of GeoTIFFs.
        out: New or empty folder of the map.
        root: Output folder of the campaign.
        **options: Options of the command, such as ``threshold=0.4`` or ``tta=True``.

    Returns:
        The content of ``summary.json``, which docs/maps.md describes.

    Raises:
        ValueError: If an option, the model or the scene is invalid.
        FileExistsError: If *out* is not empty.
        FileNotFoundError: If the scene or the registry does not exist.
    """
    from tuning.predict.arguments import command_parser, parse_arguments

    parser = command_parser()
    given = _check_options(parser, options, ("model", "input", "out", "root", "placebo"))
    words = ["--model", model, "--input", str(scene), "--out", str(out), "--root", str(root)]
    words += _write_words(parser, given)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            args = parse_arguments(words)
    except SystemExit as end:
        raise ValueError(said.getvalue().strip().rpartition("error: ")[2]) from end
    from data.io.safe_json import read_json
    from tuning.predict import prepare, write_map

    told = io.StringIO()
    with contextlib.redirect_stdout(told):  # what the command prints of model and scene
        write_map.make_map(prepare.prepare_map(args), Path(out))
    for line in told.getvalue().splitlines():
        logger.info("%s", line)
    return dict(read_json(Path(out) / _SUMMARY))


def _check_options(
    parser: CommandParser, options: Mapping[str, Any], beside: tuple[str, ...]
) -> dict[str, Any]:
    """Return options of a command; one value where the command takes several becomes a list.

    Raises:
        ValueError: If there is none of that name, or it is an argument of its own.
    """
    actions = {one.dest: one for one in parser._actions if one.dest not in (*beside, *_NO_OPTIONS)}
    given = {}
    for name, value in options.items():
        if name not in actions:
            raise ValueError(unknown_name("option", name, sorted(actions)))
        several = actions[name].nargs == "+" and not isinstance(value, list | tuple)
        given[name] = [value] if several else value
    return given


def _write_words(parser: CommandParser, options: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line that options stand for; None and False leave an option out."""
    words = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
    return words
