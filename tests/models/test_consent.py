"""A config, perhaps a stranger's, has no file of this machine imported that the user has not named."""

import logging
import sys
from pathlib import Path

import pytest

import models
from models import _registry
from models.outside import consent
from models.outside.locate import locate
from tests.support.outside_networks import write_tiny

RUN = "raise SystemExit('it was run')\n"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_registry, "_added", {})
    monkeypatch.setenv(consent.VARIABLE, str(tmp_path / "named"))


def recall(reference: str, name: str = "tiny_net") -> None:
    """Recall a network as a config does that knows the hash of its files."""
    _registry._added.clear()
    models.recall_network(name, reference, locate(reference).digest)


def test_file_that_the_user_never_named_is_refused_with_the_command_before_it_is_run(
    tmp_path: Path,
) -> None:
    reference = write_tiny(tmp_path, RUN)
    message = rf"config of tiny_net names {reference}, which never .+ run: python -m models.check {reference}"
    with pytest.raises(ValueError, match=message):
        recall(reference)


def test_file_that_the_user_named_is_found_by_a_config(tmp_path: Path) -> None:
    reference = write_tiny(tmp_path)
    models.add_network(reference)
    recall(reference)
    assert models.get_architecture("tiny_net").reference == reference


def test_copy_of_a_named_file_in_another_folder_is_refused(tmp_path: Path) -> None:
    models.add_network(write_tiny(tmp_path / "mine"))
    with pytest.raises(ValueError, match="must have been named on this machine"):
        recall(write_tiny(tmp_path / "theirs"))


def test_named_file_with_a_new_neighbour_is_refused_once_it_imports_that(tmp_path: Path) -> None:
    reference = write_tiny(tmp_path)
    models.add_network(reference)
    (tmp_path / "torch.py").write_text(RUN)
    with pytest.raises(ValueError, match="must have been named on this machine"):
        recall(reference)


@pytest.mark.parametrize("place", ["this", "idlelib.config_key"])
def test_installed_module_is_not_imported_by_a_config(place: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"must have been named on this|must be at most 200"):
        recall(f"{place}:Net")
    assert {place, place.partition(".")[0]}.isdisjoint(set(sys.modules) - before)


def test_packages_around_a_module_are_not_run_to_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "around_it" / "inner").mkdir(parents=True)
    (tmp_path / "around_it" / "__init__.py").write_text(RUN)
    write_tiny(tmp_path / "around_it" / "inner")
    monkeypatch.syspath_prepend(tmp_path)
    found = locate("around_it.inner.tiny:TinyNet")
    assert found.first == "around_it/inner/tiny.py"
    assert "around_it" not in sys.modules


def test_network_that_the_campaign_sent_needs_no_consent(tmp_path: Path) -> None:
    reference = write_tiny(tmp_path)
    models.recall_network("tiny_net", reference, locate(reference).digest, sent=True)
    assert "tiny_net" in models.list_models()


def test_folder_that_cannot_be_written_is_no_error_but_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(consent.VARIABLE, str(tmp_path / "file" / "below"))
    with caplog.at_level(logging.WARNING):
        assert models.add_network(write_tiny(tmp_path)) == "tiny_net"
    assert "Later commands will not import " in caplog.text
