"""A page printed as PDF by Chromium, where there is one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge"),
)
TIME_LIMIT_S = 300  # a page takes seconds; a browser that hangs would keep the command for ever
_HEAD = b"%PDF-"
_SHOWN_CHARS = 300


class NoBrowserError(FileNotFoundError):
    """There is no browser that can print a page."""


def find_browser(names: Sequence[str] = BROWSERS) -> str:
    """Return the path of Chromium or a browser built on it.

    Raises:
        NoBrowserError: If there is none on the search path.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    raise NoBrowserError(
        f"A PDF is printed by Chromium, but there is none of {', '.join(names)} on the search path. Install it "
        "(`apt-get install chromium`), or print report.html in any browser."
    )


def print_pdf(page: Path, file: Path) -> Path:
    """Print a page; return the file.

    The browser has a profile of its own, which is deleted afterwards; it loads nothing but the page.

    Args:
        page: HTML file.
        file: PDF file to write; replaced only by a whole one.

    Raises:
        FileNotFoundError: If there is no such page, or no browser.
        RuntimeError: If the browser writes no PDF within ``TIME_LIMIT_S``.
    """
    if not page.is_file():
        raise FileNotFoundError(
            f"A page must exist to be printed, but {page} does not. Write the report first."
        )
    browser = find_browser()
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "page.pdf"
        command = make_command(browser, page, made, Path(temporary) / "profile")
        reason = _run(command)
        if not made.is_file() or made.read_bytes()[: len(_HEAD)] != _HEAD:
            raise RuntimeError(
                f"A browser must print the page as PDF, but {browser} did not: {reason or 'no reason given'}. Print {page} in another "
                "browser, or leave out --pdf."
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.part")
        shutil.copyfile(made, beside)
        beside.replace(file)
    return file


def make_command(browser: str, page: Path, file: Path, profile: Path) -> list[str]:
    """Return the browser's command line; as root, as in containers, its sandbox cannot start and is left out."""
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        browser,
        "--headless",
        "--disable-gpu",
        *sandbox,
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
        f"--user-data-dir={profile}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={file}",
        page.resolve().as_uri(),
    ]


def _run(command: Sequence[str]) -> str:
    """Run the browser; return the end of what it says, or that it took too long."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the browser is on the search path
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {TIME_LIMIT_S} s"
    except OSError as error:
        return str(error)
    said = " ".join("".join(c if c.isprintable() else " " for c in done.stderr).split())
    return f"exit code {done.returncode}, {said[-_SHOWN_CHARS:]}"
