"""A snapshot does not change when the state does."""

from collections import OrderedDict
from pathlib import Path
from zipfile import ZipFile

import torch

from data.io.safe_checkpoint import load_tensors
from tuning.train.gpu_snapshot import StateSnapshot


def make_network() -> torch.nn.Module:
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.BatchNorm2d(5))
    return layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def test_snapshot_does_not_change_with_the_state() -> None:
    network = make_network()
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    before = {name: weights.clone() for name, weights in network.state_dict().items()}
    parts = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    taken = StateSnapshot(parts)
    optimizer.step()
    found = taken.fetch()
    for name, weights in before.items():
        assert torch.equal(found["network"][name], weights)
        assert found["network"][name].stride() == weights.stride()
        assert not torch.equal(network.state_dict()[name], weights) or "0." not in name
    assert found["optimizer"]["state"][0]["step"] == 1
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    assert found["epoch"] == 3


def test_snapshot_is_saved_like_the_state_itself(tmp_path: Path) -> None:
    network = make_network()
    state = {"network": network.state_dict(), "plain": [1, (2, None)]}
    for name, content in (("state", state), ("taken", StateSnapshot(state).fetch())):
        torch.save(content, tmp_path / name)
    saved, taken = (load_tensors(tmp_path / name) for name in ("state", "taken"))
    assert taken.keys() == saved.keys()
    assert taken["plain"] == saved["plain"]
    assert isinstance(taken["network"], OrderedDict)
    assert taken["network"]._metadata == saved["network"]._metadata  # type: ignore[attr-defined]
    other = make_network()
    other.load_state_dict(taken["network"])
    for name, weights in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], weights)


def test_saved_snapshot_has_one_archive_member_per_type(tmp_path: Path) -> None:
    taken = StateSnapshot({"network": make_network().state_dict()})
    torch.save(taken.fetch(), tmp_path / "taken")
    with ZipFile(tmp_path / "taken") as archive:
        members = [name for name in archive.namelist() if "/data/" in name]
    assert len(members) == 2  # float32 weights, and batch norm's int64 counter


def test_non_contiguous_tensors_are_copied() -> None:
    numbers = torch.arange(12.0).view(3, 4)
    odd = {"every second": numbers[:, ::2], "same": torch.ones(1).expand(4), "none": numbers[:0]}
    found = StateSnapshot(odd | {"number": torch.tensor(5.0)}).fetch()
    assert all(torch.equal(found[name], odd[name]) for name in odd)
    assert float(found["number"]) == 5
