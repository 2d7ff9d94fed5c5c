"""A real browser for tests of pages."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def find_chromium() -> str:
    """Return the path of Chromium; fail with installation instructions if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("The page's tests need Chromium. Install it: apt-get install chromium")


def visit(browser: Browser, file: Path) -> tuple[list[int], list[str], set[str]]:
    """Open a page; return the images' natural widths, console messages and errors, and requested URLs."""
    opened = browser.new_page()
    messages: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: messages.append(message.text))
    opened.on("pageerror", lambda error: messages.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(file.as_uri())
    widths = opened.evaluate("() => [...document.images].map(image => image.naturalWidth)")
    opened.close()
    return widths, messages, {url for url in requests if not url.startswith("data:")}
