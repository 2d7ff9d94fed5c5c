"""One script makes every picture of ``docs/``; a picture that it does not know, or that is not shown, is an error."""

import os
from pathlib import Path

import pytest
from PIL import Image

from docs.pictures import NOTEBOOK, PICTURES, find_report, main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def make_report(root: Path, name: str, colour: str, age_s: int) -> Path:
    """Make a report of two figures."""
    report = root / "reports" / name
    (report / "Figures").mkdir(parents=True)
    for file in ("pages.json", "Figures/pr_curves.png"):
        Image.new("RGB", (4, 4), colour).save(report / file, format="PNG")
        os.utime(report / file, (1e9 - age_s, 1e9 - age_s))
    return report


def test_the_script_makes_every_picture_of_docs_and_no_other() -> None:
    assert {*(file.name for file in DOCS.glob("*.png")), NOTEBOOK} == set(PICTURES)


def test_every_picture_is_shown_in_a_page() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    assert [name for name in PICTURES if name not in text] == []


def test_a_figure_is_that_of_the_latest_report(tmp_path: Path) -> None:
    make_report(tmp_path, "old", "red", 60)
    latest = make_report(tmp_path, "new", "blue", 0)
    assert find_report(tmp_path, "Figures/pr_curves.png") == latest
    words = ["--root", str(tmp_path), "--to", str(tmp_path), "--only", "pr_curves.png"]
    assert main(words) == 0
    assert (tmp_path / "pr_curves.png").read_bytes() == (
        latest / "Figures" / "pr_curves.png"
    ).read_bytes()


def test_a_picture_that_cannot_be_made_is_named_and_the_others_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_report(tmp_path, "new", "blue", 0)
    words = ["--root", str(tmp_path), "--to", str(tmp_path)]
    assert main([*words, "--only", "days.png", "pr_curves.png", "splits.png"]) == 1
    said = capsys.readouterr().err
    assert "error: days.png: The pictures need a report with Figures/days.png" in said
    assert "error: splits.png: The pictures need the twin's tiles" in said
    assert (tmp_path / "pr_curves.png").exists()


def test_the_packages_are_drawn_without_a_campaign(tmp_path: Path) -> None:
    words = ["--root", str(tmp_path / "nosuch"), "--to", str(tmp_path), "--only", "packages.png"]
    assert main(words) == 0
    with Image.open(tmp_path / "packages.png") as drawn:
        assert drawn.width > 1000


@pytest.mark.slow
def test_the_top_of_a_report_is_a_picture_of_a_thousand_pixels(tmp_path: Path) -> None:
    report = make_report(tmp_path, "new", "blue", 0)
    (report / "report.html").write_text("<h1 style='background: #f00'>Undecided</h1>")
    words = ["--root", str(tmp_path), "--to", str(tmp_path), "--only", "report.png"]
    assert main(words) == 0
    with Image.open(tmp_path / "report.png") as taken:
        assert taken.width == 1000
        assert (255, 0, 0) in {
            colour for _, colour in taken.convert("RGB").getcolors(1 << 20) or []
        }
