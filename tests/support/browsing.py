"""A real browser for tests of pages."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

# All texts with font size and contrast to their background.
READ_TEXTS = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3).reduce((sum, value, i) => {
    const v = value / 255;
    return sum + [0.2126, 0.7152, 0.0722][i] * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = element => {
    for (let node = element; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if ((colour[3] ?? 1) === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim()) continue;
    const style = getComputedStyle(node.parentElement);
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const [a, b] = [parse(style.color), behind(node.parentElement)].map(luminance);
    texts.push({
      text: node.data.trim(),
      shown: style.visibility === "visible" && style.opacity === "1" && box.width > 0 && box.height > 0,
      size: parseFloat(style.fontSize),
      contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    });
  }
  return texts;
}"""


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
