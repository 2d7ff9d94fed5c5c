"""The source files of networks from outside reach the processes that train them."""

from dataclasses import replace
from pathlib import Path

import pytest

import models
from models import _registry
from tests.support.outside_networks import write_tiny
from tuning.trial.networks import describe_outside, receive_networks, ship_networks


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_added", {})


def test_own_networks_are_not_sent() -> None:
    assert ship_networks(["unet"]) == ()
    assert describe_outside("unet") == {}


def test_sent_network_is_built_where_its_file_is_not(tmp_path: Path) -> None:
    name = models.add_network(write_tiny(tmp_path / "there"))
    (sent,) = ship_networks([name, "unet"])
    assert describe_outside(name) == {"network": sent.reference, "network_hash": sent.digest}
    for file in (tmp_path / "there").glob("*.py"):
        file.unlink()
    _registry._added.clear()
    receive_networks([sent], tmp_path / "cache")
    assert models.get_architecture(name).digest == sent.digest
    assert models.create_model(name, 1, 1) is not None


def test_file_that_is_here_is_used_where_it_is(tmp_path: Path) -> None:
    (sent,) = ship_networks([models.add_network(write_tiny(tmp_path / "there"))])
    _registry._added.clear()
    receive_networks([sent], tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_file_edited_meanwhile_is_not_used(tmp_path: Path) -> None:
    (sent,) = ship_networks([models.add_network(write_tiny(tmp_path / "there"))])
    write_tiny(tmp_path / "there", "raise SystemExit('it was run')\n")
    _registry._added.clear()
    receive_networks([sent], tmp_path / "cache")
    assert models.get_architecture(sent.name).digest == sent.digest


def test_installed_package_of_another_version_is_refused_with_both_hashes(tmp_path: Path) -> None:
    (sent,) = ship_networks([models.add_network(write_tiny(tmp_path / "there"))])
    _registry._added.clear()
    other = replace(sent, sources={}, digest="0123456789ab")
    with pytest.raises(ValueError, match=f"hash 0123456789ab then, {sent.digest} now"):
        receive_networks([other], tmp_path / "cache")
