import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from data.io.safe_json import RefusedError
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.deviation.weights import (
    OWN_FILE,
    PACKAGE,
    SHA256,
    VARIABLE,
    find_weights,
    load_network,
)

NOTICE = OWN_FILE.parent / "NOTICE.md"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    load_network.cache_clear()


def make_package(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    path = folder / PACKAGE / "model_data" / "transformer_optimized" / "weights.pth"
    path.parent.mkdir(parents=True)
    (folder / PACKAGE / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    torch.save({"epoch": 100, "model_state_dict": weights, "optimizer_state_dict": {}}, path)


def test_own_file_is_small_and_has_its_licence_source_and_hash_beside_it() -> None:
    import hashlib

    digest = hashlib.sha256(OWN_FILE.read_bytes()).hexdigest()
    text = NOTICE.read_text()
    assert digest in text
    assert all(
        part in text for part in ("distmetrics` 1.0.8", "Apache", "Changes made", "2501.09129")
    )
    assert "Apache License" in (OWN_FILE.parent / "LICENSE.txt").read_text()
    assert OWN_FILE.stat().st_size < 7e6


def test_wheel_holds_weights_licence_and_notice() -> None:
    import tomllib

    setup = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    patterns = setup["tool"]["setuptools"]["package-data"]["*"]
    kept = {path.name for pattern in patterns for path in OWN_FILE.parent.glob(pattern)}
    assert kept == {OWN_FILE.name, "LICENSE.txt", "NOTICE.md"}


def test_a_named_file_and_the_installed_package_give_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_file(OWN_FILE)
    torch.save(weights, tmp_path / "plain.pth")
    make_package(tmp_path, weights)
    monkeypatch.syspath_prepend(tmp_path)
    for source in (str(OWN_FILE), str(tmp_path / "plain.pth"), PACKAGE):
        network, found = load_network(source)
        assert found == SHA256
        assert not network.training
        assert torch.equal(network.embedding.weight, weights["embedding.weight"])


def test_other_weights_of_the_same_shape_are_named_in_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_weights() == str(OWN_FILE)
    weights = load_file(OWN_FILE)
    weights["embedding.bias"] += 1
    save_file(weights, tmp_path / "mine.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine.safetensors"))
    other = make_baseline_config("dist_s1", "blocks", "x")["weights_sha256"]
    monkeypatch.delenv(VARIABLE)
    assert make_baseline_config("dist_s1", "blocks", "x")["weights_sha256"] == SHA256 != other


def test_a_package_with_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_file(OWN_FILE)
    weights["embedding.bias"] += 1
    make_package(tmp_path, weights)
    monkeypatch.syspath_prepend(tmp_path)
    message = rf"weights of a package must have the SHA-256 {SHA256}, but got [0-9a-f]{{64}} in .*weights\.pth"
    with pytest.raises(RefusedError, match=message):
        load_network(PACKAGE)


def test_a_package_that_is_not_installed_is_named() -> None:
    message = (
        rf"{VARIABLE}=distmetrics needs the package distmetrics, but got none .* unset {VARIABLE}"
    )
    with pytest.raises(RefusedError, match=message):
        load_network(PACKAGE)


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    weights = load_file(OWN_FILE)
    weights["temporal_pos_embed"] = torch.zeros(1, 30, 1, 128)
    save_file(weights, tmp_path / "a.safetensors")
    message = (
        r"must have the names and shapes of DIST-S1's transformer, but got size mismatch for temporal_pos_embed.*"
        rf"in .*a\.safetensors\. Unset {VARIABLE} .* transformer_optimized"
    )
    with pytest.raises(RefusedError, match=message):
        load_network(str(tmp_path / "a.safetensors"))
    torch.save({"model_state_dict": {"x": torch.zeros(2)}}, tmp_path / "b.pth")
    with pytest.raises(RefusedError, match=r"but got Missing key\(s\) in state_dict: \"spatial"):
        load_network(str(tmp_path / "b.pth"))


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def test_a_pickle_with_code_is_refused_and_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model_state_dict": _Code()}, tmp_path / "bad.pth")
    with pytest.raises(RefusedError, match=rf"bad\.pth\..* Unset {VARIABLE}"):
        load_network(str(tmp_path / "bad.pth"))
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(_Code()))
    with pytest.raises(RefusedError, match=rf"bare\.pkl\..* Unset {VARIABLE}"):
        load_network(str(tmp_path / "bare.pkl"))
    assert capsys.readouterr().out == ""


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"must be a file, but got No such file .*none\.pth"):
        load_network(str(tmp_path / "none.pth"))
    (tmp_path / "cut.safetensors").write_bytes(OWN_FILE.read_bytes()[:1000])
    with pytest.raises(RefusedError, match=rf"whole safetensors file, but got .*Unset {VARIABLE}"):
        load_network(str(tmp_path / "cut.safetensors"))
    with (tmp_path / "large.safetensors").open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(RefusedError, match=r"at most 67,108,864 bytes, but got 67,108,865"):
        load_network(str(tmp_path / "large.safetensors"))
