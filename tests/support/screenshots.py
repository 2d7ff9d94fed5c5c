"""Take screenshots of MLflow's pages of a finished campaign for the documentation.

    python -m tests.support.screenshots [--root mlruns] [--campaign NAME] [--to docs]

Starts an MLflow server on loopback, opens the campaign's prepared pages in Chromium (a test requirement), and saves
small PNG files.
"""

import argparse
import json
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.support.browsing import find_chromium
from tests.support.servers import serve_mlflow

SIZE = {"width": 1440, "height": 810}
WIDTH_PX, COLOURS = 1080, 256  # of a saved screenshot
SETTLE_MS = 6000
REGISTRY = "/#/models"
PAGES = {  # file by label of the campaign's page
    "trials, best on val first": "mlflow_trials.png",
    "precision over recall on test, overlaid": "mlflow_curves.png",
    "trials as charts": "mlflow_charts.png",
}


def take_screenshot(browser: Browser, address: str, file: Path) -> None:
    """Take a screenshot of a page after its charts are drawn."""
    page = browser.new_page(viewport=SIZE, device_scale_factor=1)
    page.goto(address)
    page.wait_for_timeout(SETTLE_MS)
    page.keyboard.press("Escape")  # welcome dialog of the registry
    page.wait_for_timeout(SETTLE_MS // 6)
    for close in page.get_by_role("button", name="Close", exact=True).all():
        close.click()  # assistant panel, which covers a quarter of the page
    page.wait_for_timeout(SETTLE_MS // 2)
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    page.close()
    small = picture.resize((WIDTH_PX, WIDTH_PX * picture.height // picture.width))
    small.quantize(COLOURS).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


def main(argv: list[str] | None = None) -> int:
    """Take the screenshots; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    parser.add_argument("--campaign", help="name of the campaign (default: the latest report)")
    parser.add_argument("--to", type=Path, default=Path("docs"), help="folder of the screenshots")
    args = parser.parse_args(argv)
    found = sorted((args.root / "reports").glob("*/pages.json"), key=lambda f: f.stat().st_mtime)
    if args.campaign:
        found = [file for file in found if file.parent.name == args.campaign]
    if not found:
        where = args.root / "reports"
        print(f"error: Screenshots need a report, but {where} has none.", file=sys.stderr)
        return 1
    pages: dict[str, str] = json.loads(found[-1].read_text())
    store = f"sqlite:///{(args.root / 'mlflow.db').resolve()}"
    with (
        tempfile.TemporaryDirectory() as temporary,
        serve_mlflow(store, Path(temporary), Path(temporary) / "log") as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for label, name in PAGES.items():
            take_screenshot(
                browser, address + pages[label][pages[label].index("/#/") :], args.to / name
            )
        take_screenshot(browser, address + REGISTRY, args.to / "mlflow_models.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
