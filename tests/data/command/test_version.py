"""The versions that --version prints: of a checkout with its commit, of an installed copy without that of a folder above."""

import re
import subprocess
from pathlib import Path

import pytest

from data.command.version import describe_versions, read_commit

ROOT = Path(__file__).parents[3]


def test_commit_is_unknown_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_COMMIT", raising=False)
    assert read_commit(tmp_path) == "unknown"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert read_commit(tmp_path) == "unknown"
    monkeypatch.setenv("SOURCE_COMMIT", "abc")  # an image is built with it
    assert read_commit(tmp_path) == "abc"
    monkeypatch.setenv("PATH", "")  # nor has it git
    assert read_commit(tmp_path) == "abc"


def test_commit_of_the_repository_has_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_COMMIT", "abc")
    assert read_commit(Path(__file__).parent) != "abc"


def test_versions_name_the_commit_of_a_checkout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_COMMIT", raising=False)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "site-packages").mkdir()
    assert "commit" not in describe_versions(tmp_path / "site-packages")
    monkeypatch.setenv("SOURCE_COMMIT", "abc")
    assert "(commit abc)" in describe_versions(tmp_path / "site-packages")
    if (ROOT / ".git").exists():
        assert re.search(r"\(commit [0-9a-f]{40}(-dirty)?\)\nPython 3", describe_versions(ROOT))


def test_a_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.command.version.SHOWN", ("torch", "no-such-package"))
    assert describe_versions().endswith("no-such-package not installed")
