"""The command's option --pdf: refused before any work where no browser can print."""

from pathlib import Path

import pytest

from tuning.report.__main__ import main


def test_a_pdf_without_a_browser_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    root = tmp_path / "mlruns"
    assert main(["--root", str(root), "--pdf"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: A PDF is printed by Chromium, but there is none of chromium, ")
    assert "apt-get install chromium" in error
    assert not root.exists()
