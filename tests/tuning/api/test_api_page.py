"""The examples of docs/python.md, run in order on a finished campaign."""

import doctest
import os
import shutil
from pathlib import Path

import pytest

from tests.faults.campaigns import Command
from tests.support.pages import read_blocks

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def make_doctest(text: str) -> doctest.DocTest:
    """Return the sessions of a page as one test; a block's fence is no output."""
    blocks = [one.text for one in read_blocks("docs/python.md", text) if ">>> " in one.text]
    return doctest.DocTestParser().get_doctest("\n\n".join(blocks), {}, PAGE.name, str(PAGE), 0)


@pytest.mark.slow
def test_the_page_s_examples_give_what_it_says(
    calm: Command, twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calm.run_once() == 0, calm.read_log()
    shutil.copytree(calm.root, tmp_path / "trial", symlinks=True)  # a copy finds its own files
    os.symlink(twin, tmp_path / "tiles")
    monkeypatch.chdir(tmp_path)
    run = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        make_doctest(PAGE.read_text("utf-8"))
    )
    assert run.attempted >= 10
    assert run.failed == 0
