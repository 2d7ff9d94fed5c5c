"""A real browser for the tests of pages."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def find_chromium() -> str:
    """Return the browser that the tests drive, or fail with how to get it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("The page's tests need Chromium. Install it: apt-get install chromium")


def visit(browser: Browser, file: Path) -> tuple[list[int], list[str], set[str]]:
    """Open a page; return its images' true widths, all that the browser complains of, and what it asks for."""
    opened = browser.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(file.as_uri())
    widths = opened.evaluate("() => [...document.images].map(image => image.naturalWidth)")
    opened.close()
    return widths, complaints, {url for url in requests if not url.startswith("data:")}
