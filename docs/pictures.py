"""Makes every picture of ``docs/``, and runs its notebook, from the output folder of a finished campaign.

    python docs/pictures.py --root mlruns [--only NAME ...] [--to docs]

The campaign is that of the README (``python -m tuning.run --model all``); ``days.png`` needs a report of a campaign with
``--replay``, or of ``python -m tuning.matrix rapid``. Nothing is written into the folder: what changes it works on a copy.
Chromium takes the pictures of pages. Needs the packages of the extra ``test``.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the script is started by its path

DOCS = ROOT / "docs"
SHOWN = "VanillaUNet"  # whose example and map are shown
COLOURS = 256
REPORT_PX, REPORT_SIZE = 1000, {"width": 1250, "height": 1562}  # width of the picture; of the page
MAP_PX = 940
NOTEBOOK = "map.ipynb"


class Source(NamedTuple):
    """What pictures are made from.

    Attributes:
        root: Output folder of the campaign.
        report: Folder of its report.
        to: Folder of the pictures.
    """

    root: Path
    report: Path
    to: Path


def find_report(root: Path, file: str) -> Path:
    """Return the latest report below an output folder that has a file.

    Raises:
        FileNotFoundError: If none has it.
    """
    found = sorted((root / "reports").glob(f"*/{file}"), key=lambda one: one.stat().st_mtime)
    if not found:
        raise FileNotFoundError(
            f"The pictures need a report with {file}, but {root / 'reports'} has none. See --help for the campaign that makes it."
        )
    return found[-1].parents[len(Path(file).parts) - 1]


def copy_figure(source: Source, name: str, figure: str) -> None:
    """Copy a figure of a report."""
    shutil.copyfile(find_report(source.root, figure) / figure, source.to / name)


def draw_packages(source: Source, name: str) -> None:
    """Draw which package imports which."""
    from docs.packages import draw

    draw(source.to / name)


def draw_splits(source: Source, name: str) -> None:
    """Draw the published split beside the blocks."""
    tiles = find_tiles(source.root)
    _run("data.splits", tiles, "--split", "seed42", "blocks", "--map", source.to / name)


def draw_map(source: Source, name: str) -> None:
    """Map all tiles with the champion; keep the picture, made smaller."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "map"
        words = ("--model", "models:/hokkaido-unet@champion", "--root", source.root)
        _run("tuning.predict", *words, "--input", find_tiles(source.root), "--out", out)
        picture = Image.open(out / "quicklook.png").convert("RGB")
        _save(picture, MAP_PX, source.to / name)


def photograph_report(source: Source, name: str) -> None:
    """Take a picture of the report's first screen."""
    _photograph(source.report / "report.html", source.to / name)


def photograph_mlflow(source: Source, name: str) -> None:
    """Take a picture of one of MLflow's pages."""
    shutil.copyfile(
        Path(_photograph_all(source.root, source.report.name).name) / name, source.to / name
    )


def photograph_leaderboard(source: Source, name: str) -> None:
    """Take a picture of the leaderboard of all reported campaigns."""
    with tempfile.TemporaryDirectory() as temporary:
        bundles = []
        for report in sorted((source.root / "reports").glob("*/pages.json")):
            campaign = report.parent.name
            bundles.append(Path(temporary) / f"{campaign}.zip")
            _run("tuning.bundle", campaign, "--root", source.root, "--to", bundles[-1])
        page = Path(temporary) / "leaderboard.html"
        _run("tuning.leaderboard", *bundles, "--to", page)
        _photograph(page, source.to / name)


@cache
def _photograph_all(root: Path, campaign: str) -> "tempfile.TemporaryDirectory[str]":
    """Take the pictures of all of MLflow's pages at once, since a server has to start."""
    from tests.support.screenshots import main as take

    taken = tempfile.TemporaryDirectory()
    if take(["--root", str(root), "--campaign", campaign, "--to", taken.name]):
        raise RuntimeError(
            "The pages of MLflow must be there, but no picture was taken. See the error above."
        )
    return taken


def run_notebook(source: Source, name: str) -> None:
    """Run the notebook on a copy of the output folder, and keep what it shows."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(DOCS / name, 4)
    with tempfile.TemporaryDirectory(dir=source.root.parent) as temporary:
        copy_root(source.root, Path(temporary) / "mlruns")
        os.environ["PYTHONPATH"] = str(ROOT)
        resources = {"metadata": {"path": temporary}}
        NotebookClient(
            notebook, timeout=1200, kernel_name="python3", startup_timeout=300, resources=resources
        ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
    nbformat.write(notebook, source.to / name)


def copy_root(root: Path, copy: Path) -> None:
    """Copy what a map needs of an output folder; files that nobody changes are linked."""
    copy.mkdir()
    for folder in ("data", "artifacts"):
        shutil.copytree(root / folder, copy / folder, copy_function=os.link)
    with (
        closing(sqlite3.connect(root / "mlflow.db")) as old,
        closing(sqlite3.connect(copy / "mlflow.db")) as new,
    ):
        old.backup(new)


def find_tiles(root: Path) -> Path:
    """Return the folder of the twin of an output folder.

    Raises:
        FileNotFoundError: If it has none.
    """
    for folder in sorted((root / "data").glob("twin-*")):
        return folder
    raise FileNotFoundError(f"The pictures need the twin's tiles, but {root / 'data'} has none.")


def _run(module: str, *words: object) -> None:
    call = [sys.executable, "-m", module, *map(str, words)]
    subprocess.run(call, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _photograph(page: Path, file: Path) -> None:
    """Take a picture of the top of a page in Chromium."""
    from io import BytesIO

    from PIL import Image
    from playwright.sync_api import sync_playwright

    from tests.support.browsing import find_chromium

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        opened = browser.new_page(viewport=REPORT_SIZE)  # type: ignore[arg-type]
        opened.goto(
            page.resolve().as_uri(), timeout=0
        )  # however slow: it holds megabytes of figures
        taken = opened.screenshot()
        browser.close()
    _save(Image.open(BytesIO(taken)).convert("RGB"), REPORT_PX, file)


def _save(picture: object, width: int, file: Path) -> None:
    """Save a picture in a width, with few colours."""
    small = picture.resize((width, width * picture.height // picture.width))  # type: ignore[attr-defined]
    small.quantize(COLOURS).save(file, optimize=True)


def figure(path: str) -> Callable[[Source, str], None]:
    """Return what copies a figure of a report."""
    return lambda source, name: copy_figure(source, name, path)


PICTURES: Mapping[str, Callable[[Source, str], None]] = {
    "packages.png": draw_packages,
    "pr_curves.png": figure("Figures/pr_curves.png"),
    "example.png": figure(f"Figures/{SHOWN}/{SHOWN}_qual_00.png"),
    "days.png": figure("Figures/days.png"),
    "splits.png": draw_splits,
    "map.png": draw_map,
    "report.png": photograph_report,
    "leaderboard.png": photograph_leaderboard,
    **dict.fromkeys(
        ("mlflow_trials.png", "mlflow_curves.png", "mlflow_charts.png", "mlflow_models.png"),
        photograph_mlflow,
    ),
    NOTEBOOK: run_notebook,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the pictures; return 1 if one could not be made."""
    parser = argparse.ArgumentParser("python docs/pictures.py", description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    parser.add_argument("--only", nargs="+", choices=PICTURES, metavar="NAME", help="some of them")
    parser.add_argument("--to", type=Path, default=DOCS, help="folder of the pictures")
    args = parser.parse_args(argv)
    failed = 0
    root, to = args.root.resolve(), args.to.resolve()
    for name in args.only or PICTURES:
        try:
            report = find_report(root, "pages.json") if name != "packages.png" else root
            PICTURES[name](Source(root, report, to), name)
            print(f"{to / name}: {(to / name).stat().st_size / 1000:.0f} kB")
        except Exception as error:  # noqa: BLE001 - named; the others are made
            print(f"error: {name}: {str(error) or type(error).__name__}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
