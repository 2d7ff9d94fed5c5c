import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.pack import Pack
from models import create_model
from tests.support.hostile_files import DEEP, write_sparse
from tuning.train.__main__ import main
from tuning.train.fit import REQUIRED_KEYS
from tuning.trial.config import check_config
from tuning.trial.folder import Config, TrialFolder

CASES: list[tuple[dict[str, Any], str]] = [
    ({"epochs": 10**18}, "epochs must be a whole number from 1 to 10000, but got 10000000"),
    ({"epochs": "3"}, "epochs must be a whole number from 1 to 10000, but got '3'"),
    ({"epochs": True}, "epochs must be a whole number"),
    ({"epochs": 2.5}, "epochs must be a whole number"),
    ({"batch_size": 0}, "batch_size must be a whole number from 1 to 4096, but got 0"),
    ({"batch_size": 10**12}, "batch_size must be a whole number"),
    ({"timesteps": 10**9}, "timesteps must be a whole number from 1 to 15"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"lr": float("nan")}, r"lr must be a number from 0 to 1e\+38, but got nan"),
    ({"lr": [1]}, r"lr must be a number .* but got \[1\]"),
    ({"bce_weight": 2}, "bce_weight must be a number from 0 to 1, but got 2"),
    ({"model": "../x"}, r"Unknown model '\.\./x'"),
    ({"model": "_blocks"}, "Unknown model '_blocks'"),
    ({"model": "os"}, "Unknown model 'os'"),
    ({"model": ["unet"]}, r"Unknown model \['unet'\]"),
    ({"model": None}, "Unknown model None"),
    ({"arch": {"width": 10**9, "depth": 2}}, "at most 1024, but got width=1000000000, depth=2"),
    ({"arch": {"width": 4, "depth": 10**9}}, "depth of at most 7 .* depth=1000000000"),
    ({"arch": {"width": "4"}}, "width must be an integer of 1 or more"),
    ({"arch": {"dropout": "0"}}, r"dropout must be in \[0, 1\), but got dropout='0'"),
    ({"arch": {"conv": 5}}, "Unknown value for conv: 5"),
    ({"arch": {"in_channels": 10**9}}, r"arch must hold plain values, but got \{'in_channels'"),
    ({"arch": {"width": [4]}}, r"arch must hold plain values, but got \{'width': \[4\]\}"),
    ({"arch": [4]}, r"arch must be an object, but got \[4\]"),
    ({"arch": {"__class__": 1}}, "Unknown argument of model 'unet': '__class__'"),
    ({"channels": "s1asc:VV"}, "channels must be a list of names"),
    ({"channels": ["s1asc:VV"] * 2}, "channels must come once"),
    ({"channels": ["../x"]}, r"Unknown channel '\.\./x'"),
    ({"augment": {"trun": 1}}, "augment must have known names"),
    ({"augment": {"turn": "1"}}, "augment must hold numbers"),
    ({"split": "../../etc"}, r"Unknown split '\.\./\.\./etc'"),
    ({"split": "file:../../x"}, "must be file:<12 hexadecimal digits>"),
    ({"split": {}}, r"split must be a name, but got \{\}"),
    ({"steps": 1}, "Unknown steps 1"),
    ({"schedule": "cosin"}, r"Unknown schedule 'cosin'\. Did you mean 'cosine'\?"),
    ({"norm": "norm.json"}, r"Unknown norm 'norm\.json'"),
    ({"loss": "lovas"}, r"Unknown loss 'lovas'\. Did you mean 'lovasz'\? .* It stands in it"),
    ({"loss": 1}, "Unknown loss 1"),
    ({"replay": "yes"}, "replay must be true or false, but got 'yes'"),
    ({"label_noise": "drop"}, "label_noise must be an object, but got 'drop'"),
    ({"label_noise": {"drop": 7}}, r"Label noise drop must be a number from 0 to 0\.95, but got 7"),
    ({"label_noise": {"dorp": 7}}, r"Unknown label noise 'dorp'\. Did you mean 'drop'\?"),
    ({"train_share": 0.5}, "train_share must be a text, but got 0.5"),
    ({"train_share": "compakt:0.5"}, r"Unknown shape .* Did you mean 'compact'\?"),
    ({"train_share": "0.25", "batch_size": 2}, "leaves 1 of the 4 train tiles of split 'blocks'"),
    ({"data": "../pack"}, r"data must be a pack's hash, but got '\.\./pack'"),
    ({"note": {"deep": {}}}, "'note' must be a text or a number"),
]


@pytest.mark.parametrize(("change", "message"), CASES)
def test_command_refuses_a_config_that_no_training_takes(
    config: Config,
    pack: Pack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    message: str,
) -> None:
    file, to = tmp_path / "config.json", tmp_path / "to"
    file.write_text(json.dumps(config | change))
    assert main([str(file), "--pack", str(pack.path), "--to", str(to)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    with pytest.raises(ValueError, match=message):
        raise ValueError(error)
    assert not (to / "best.pt").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP, "must not be nested deeply"),
        ("[]", "must be an object, but got a list"),
        ("7", "must be an object, but got a int"),
        ("{}", "but this one lacks model, arch"),
        ("no JSON", "must be JSON, but got Expecting value"),
        ("{" + " " * 9_000_000 + "}", "at most 8,388,608 bytes, but got 9,000,002"),
    ],
)
def test_command_refuses_a_file_that_is_no_config(
    pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "c.json").write_text(text)
    arguments = [str(tmp_path / "c.json"), "--pack", str(pack.path), "--to", str(tmp_path / "to")]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "_blocks", "os", "unet.py", "models.unet", "", None])
def test_architectures_are_those_of_the_folder_alone(name: Any) -> None:
    with pytest.raises(ValueError, match=r"Unknown model .* Available: attention_unet, convgru, "):
        create_model(name, 4, 4)


def test_config_of_a_training_passes_as_it_is(config: Config) -> None:
    assert check_config(config, "it", REQUIRED_KEYS) is config


def test_history_without_a_bottom_is_refused(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    for text, message in (
        ('{"epoch": ' * 100_000 + "\n", "must not be nested deeply"),
        ("[1]\n", "must be an object, but got a list"),
        ("no JSON\n", "must be JSON"),
    ):
        (tmp_path / "history.jsonl").write_text(text)
        with pytest.raises(ValueError, match=message):
            folder.history()
    write_sparse(tmp_path / "history.jsonl", 100_000_000)
    with pytest.raises(ValueError, match="at most 33,554,432 bytes, but got 100,000,000"):
        folder.history()
    np.save(tmp_path / "val_counts.npy", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"must be an \.npy file without pickled objects"):
        folder.counts("val")
