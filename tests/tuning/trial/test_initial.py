"""Weights from which a training starts: stored by their hash, loaded whole or refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from models import create_model
from tests.support.served_fixtures import CONFIG
from tuning.train.checkpoints import make_model, start_model
from tuning.trial.config import check_config
from tuning.trial.folder import Config
from tuning.trial.initial import (
    compare_shapes,
    find_initial,
    list_shapes,
    load_initial,
    read_initial,
    store_initial,
)


def store(packs: Path, seed: int = 0, **changes: object) -> tuple[nn.Module, str]:
    torch.manual_seed(seed)
    config: Config = {**CONFIG, **changes}
    model = make_model(config)
    return model, store_initial(model.state_dict(), config, packs)


def test_a_network_starts_with_the_weights_that_were_stored(tmp_path: Path) -> None:
    model, digest = store(tmp_path)
    found = start_model({**CONFIG, "init": digest}, tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_without_weights_a_network_starts_at_random(tmp_path: Path) -> None:
    torch.manual_seed(5)
    wanted = make_model(CONFIG).state_dict()
    torch.manual_seed(5)
    found = start_model(CONFIG, tmp_path).state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_the_hash_stands_for_weights_and_network(tmp_path: Path) -> None:
    digest = store(tmp_path)[1]
    assert store(tmp_path)[1] == digest
    assert store(tmp_path, seed=1)[1] != digest
    arch = {**CONFIG["arch"], "dropout": 0.3}
    assert store(tmp_path, arch=arch)[1] != digest
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_tells_what_its_network_was_built_with(tmp_path: Path) -> None:
    model, digest = store(tmp_path)
    found = read_initial(tmp_path, digest)
    assert found.config == CONFIG
    assert found.shapes == list_shapes(model)


def test_weights_of_another_network_are_refused_with_what_differs(tmp_path: Path) -> None:
    digest = store(tmp_path)[1]
    other = create_model("unet", 2, 4, **CONFIG["arch"])
    with pytest.raises(
        ValueError,
        match=r"must be those of the config's network, but .*init-\w{12}.safetensors has others: "
        r"\S+ 4 x 16 x 3 x 3 instead of 4 x 8 x 3 x 3\. Begin a new campaign with --init",
    ):
        load_initial(other, {"init": digest}, tmp_path)


def test_lost_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"needs init-0123456789ab\.safetensors beside its"):
        start_model({**CONFIG, "init": "0123456789ab"}, tmp_path)


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    digest = store(tmp_path)[1]
    file = find_initial(tmp_path, digest)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    message = rf"must have the hash {digest}, but got \w{{12}} in"
    with pytest.raises(ValueError, match=message):
        read_initial(tmp_path, digest)
    with pytest.raises(ValueError, match=message):
        start_model({**CONFIG, "init": digest}, tmp_path)


def test_what_differs_names_missing_and_additional_weights() -> None:
    text = compare_shapes({"a": (2,), "b": ()}, {"b": (), "c": (3, 1)})
    assert text == "a none instead of 2, c 3 x 1 instead of none"
    assert compare_shapes({"a": (2,)}, {"a": (2,)}) == ""


def test_a_config_names_weights_by_a_safe_name() -> None:
    check_config({"init": "0123456789ab"}, "here", ())
    with pytest.raises(ValueError, match=r"A config's init must be the hash of weights, but got"):
        check_config({"init": "../other"}, "here", ())
