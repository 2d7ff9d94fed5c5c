"""Printing a page as PDF: by Chromium where there is one, else a sentence."""

import os
import stat
from pathlib import Path

import pytest

from tests.support.browsing import find_chromium
from tuning.page import print_pdf as printing
from tuning.page.html import Page, Section, Text, write_page
from tuning.page.print_pdf import NoBrowserError, find_browser, make_command, print_pdf


@pytest.fixture
def page(tmp_path: Path) -> Path:
    content = Page("Title", True, ["Verdict."], [], [Section("One", [Text("Text.")])])
    return write_page(content, tmp_path / "report.html")


def install(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a program named chromium the only one on the search path."""
    folder.mkdir()
    program = folder / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")


def test_a_page_is_printed_and_the_profile_is_gone(page: Path, tmp_path: Path) -> None:
    find_chromium()
    file = print_pdf(page, tmp_path / "out" / "report.pdf")
    assert file.read_bytes().startswith(b"%PDF-")
    assert [one.name for one in file.parent.iterdir()] == ["report.pdf"]


def test_without_a_browser_the_way_to_one_is_named(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        NoBrowserError,
        match=r"printed by Chromium, but there is none of chromium, .*apt-get install chromium",
    ):
        print_pdf(page, tmp_path / "report.pdf")


def test_a_browser_that_prints_nothing_leaves_the_former_file(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = tmp_path / "report.pdf"
    former.write_bytes(b"%PDF-former")
    install(tmp_path / "bin", "echo no display >&2; exit 7", monkeypatch)
    with pytest.raises(RuntimeError, match="did not: exit code 7, no display"):
        print_pdf(page, former)
    assert former.read_bytes() == b"%PDF-former"


def test_a_browser_that_hangs_is_ended(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bin", "exec sleep 60", monkeypatch)
    monkeypatch.setattr(printing, "TIME_LIMIT_S", 0.2)
    with pytest.raises(RuntimeError, match=r"it took longer than 0\.2 s"):
        print_pdf(page, tmp_path / "report.pdf")


def test_a_missing_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"must exist to be printed, but .*none\.html does not"
    ):
        print_pdf(tmp_path / "none.html", tmp_path / "report.pdf")


@pytest.mark.parametrize(("user", "left_out"), [(0, True), (1000, False)])
def test_the_sandbox_is_left_out_for_root_alone(
    user: int, left_out: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing.os, "geteuid", lambda: user)
    command = make_command("chromium", tmp_path / "a.html", tmp_path / "a.pdf", tmp_path / "p")
    assert ("--no-sandbox" in command) == left_out
    assert command[-1] == (tmp_path / "a.html").as_uri()


def test_the_first_browser_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bin", "exit 0", monkeypatch)
    assert find_browser() == str(tmp_path / "bin" / "chromium")
