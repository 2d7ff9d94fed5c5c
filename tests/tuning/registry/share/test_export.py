"""A registered network as one ONNX file: whose bytes, what is said of it, and what is refused."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from mlflow.tracking import MlflowClient

from tests.support.share_fixtures import NAME, Call, stored_folder
from tuning.tracking.model_digest import PROGRAM

pytest_plugins = ["tests.support.share_fixtures"]


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ([NAME], 1),
        (["unet"], 1),
        (["VanillaUNet"], 1),
        (["hokkaido-unet@champion"], 1),
        (["models:/hokkaido-unet@champion"], 1),
        (["hokkaido-unet/3"], 3),
        (["unet", "3"], 3),
    ],
)
def test_every_spelling_exports_the_file_that_was_registered(
    call: Call, client: MlflowClient, tmp_path: Path, words: list[str], version: int
) -> None:
    target = tmp_path / "network.onnx"
    assert call("export", *words, "--to", str(target)) == 0
    assert target.read_bytes() == (stored_folder(client, version) / PROGRAM).read_bytes()


def test_export_needs_onnxruntime_alone_and_says_what_it_holds(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "network.onnx"
    assert call("export", "unet", "--to", str(target)) == 0
    session = onnxruntime.InferenceSession(target)
    (probs,) = session.run(None, {"x": np.full((2, 4, 4, 16, 24), -12, np.float32)})
    assert probs.shape == (2, 16, 24)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{target}: {NAME} version 1, 0.1 MB, ONNX opset ")
    assert lines[1:6] == [
        "  input: s1asc:VV s1asc:VH s1dsc:VV s1dsc:VH",
        "  unit: gamma nought in dB; heights in m, slopes in degrees; NaN = no data",
        "  acquisitions: 4 of 15, evenly spaced: numbers 1, 6, 10, 15",
        "  height and width, multiples of (px): 8",
        "  threshold: 0.25",
    ]
    assert "CC BY 4.0" in lines[6]
    assert len(lines) == 7


def test_export_of_a_version_that_failed_its_gate_says_so(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", "unet/2", "--to", str(tmp_path / "network.onnx")) == 0
    assert f"UNTRUSTED: {NAME} version 2 did not pass its gate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hokaido-unet", "Unknown registered model 'hokaido-unet'. Did you mean 'hokkaido-unet'?"),
        ("unet@champoin", "Unknown alias 'champoin'. Did you mean 'champion'?"),
        ("unet/7", "Unknown version of hokkaido-unet '7'."),
        (
            "models:/m-1",
            "must be a registered version, such as hokkaido-unet/1, but got the logged",
        ),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(
    call: Call, tmp_path: Path, model: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", model, "--to", str(tmp_path / "network.onnx")) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "network.onnx").exists()


@pytest.mark.parametrize("kind", ["file", "broken link", "folder"])
def test_what_exists_is_never_overwritten(
    call: Call, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "network.onnx"
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "gone")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert call("export", "unet", "--to", str(target)) == 1
    assert f"must not overwrite a file, but {target} exists" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert kind != "file" or target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("network.pt", "The file must end in .onnx, but got --to"),
        ("gone/network.onnx", "The file's folder must exist, but"),
    ],
)
def test_target_must_be_an_onnx_file_in_a_folder_that_exists(
    call: Call, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", "unet", "--to", str(tmp_path / name)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_changed_files_are_not_exported(
    call: Call, client: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored_folder(client, 1) / PROGRAM
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    assert call("export", "unet", "--to", str(tmp_path / "network.onnx")) == 1
    assert "Somebody changed them" in capsys.readouterr().err
    assert list(tmp_path.glob("*.onnx")) == []


def test_export_makes_no_registry(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("export", "unet", "--to", str(tmp_path / "a.onnx"), at=tmp_path / "typo") == 2
    assert "must hold a campaign's database mlflow.db, but" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
