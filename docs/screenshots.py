"""Take the README's pictures of MLflow's pages from a campaign that has been run.

    python docs/screenshots.py [--root mlruns] [--campaign NAME] [--to docs]

Starts MLflow's server on loopback, opens the campaign's ready-made pages in Chromium (of the test requirements), and
keeps each picture small.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.error import URLError

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

SIZE = {"width": 1440, "height": 810}
WIDTH_PX, COLOURS = 1080, 256  # of a kept picture
START_S, SETTLE_MS = 120, 6000
REGISTRY = "/#/models"
SHOWN = {  # file by label of the campaign's page
    "trials, best on val first": "mlflow_trials.png",
    "precision over recall on test, overlaid": "mlflow_curves.png",
    "trials as charts": "mlflow_charts.png",
}


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve a root's database on a free port; end the server and nothing else."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    store = f"sqlite:///{(root / 'mlflow.db').resolve()}"
    asked = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    asked += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    nowhere = subprocess.DEVNULL
    server = subprocess.Popen(
        asked, env=quiet, stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def wait_for(address: str) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        except (URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"error: {address} does not answer: {error}") from error
            time.sleep(0.5)


def take(browser: Browser, address: str, file: Path) -> None:
    """Take a picture of a page once its charts are drawn."""
    page = browser.new_page(viewport=SIZE, device_scale_factor=1)
    page.goto(address)
    page.wait_for_timeout(SETTLE_MS)
    page.keyboard.press("Escape")  # the registry's greeting
    page.wait_for_timeout(SETTLE_MS // 6)
    for close in page.get_by_role("button", name="Close", exact=True).all():
        close.click()  # the assistant, which covers a quarter of the page
    page.wait_for_timeout(SETTLE_MS // 2)
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    page.close()
    small = picture.resize((WIDTH_PX, WIDTH_PX * picture.height // picture.width))
    small.quantize(COLOURS).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


def main(argv: list[str] | None = None) -> int:
    """Take the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    parser.add_argument("--campaign", help="name of the campaign (default: the latest report)")
    parser.add_argument("--to", type=Path, default=Path("docs"), help="folder of the pictures")
    args = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    found = sorted((args.root / "reports").glob("*/pages.json"), key=lambda f: f.stat().st_mtime)
    if args.campaign:
        found = [file for file in found if file.parent.name == args.campaign]
    if not found or chromium is None:
        lacking = "Chromium" if found else f"a report below {args.root / 'reports'}"
        print(f"error: The pictures need {lacking}, but there is none.", file=sys.stderr)
        return 1
    pages: dict[str, str] = json.loads(found[-1].read_text())
    with serve(args.root) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for label, name in SHOWN.items():
            take(browser, address + pages[label][pages[label].index("/#/") :], args.to / name)
        take(browser, address + REGISTRY, args.to / "mlflow_models.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
