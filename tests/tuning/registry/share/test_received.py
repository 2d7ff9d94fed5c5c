"""A stranger's repository: nothing changed, cut off or inconsistent is registered, and none of its code runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.support.model_hub import ModelHub, Repository
from tests.support.share_fixtures import ADDRESS, NAME, Call, forge
from tuning.predict.ensemble import load_members
from tuning.registry.share.hub import MODEL_FILES, REQUIRED_FILES
from tuning.tracking.client import connect
from tuning.tracking.model_digest import PROGRAM, load_registered, load_torch

pytest_plugins = ["tests.support.share_fixtures"]
CARD, CODE = "README.md", "served_model.py"
Refuse = Callable[[str], None]


@pytest.fixture
def refuse(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Check that a pull is refused with a message, even with --untrusted, and that it registers nothing."""

    def check(message: str) -> None:
        assert call("pull", ADDRESS, "--untrusted", at=tmp_path / "here") == 1
        assert message in capsys.readouterr().err
        client, _ = connect(tmp_path / "here")
        assert client.search_registered_models() == []

    return check


@pytest.mark.parametrize("name", sorted(MODEL_FILES))
def test_a_changed_byte_of_any_file_is_noticed(
    published: Repository, refuse: Refuse, name: str
) -> None:
    content = bytearray(published.files[name])
    content[len(content) // 2] ^= 1
    published.commit(published.files | {name: bytes(content)}, "Change")
    refuse("A model's files must be those that its card states (model_sha256 ")


@pytest.mark.parametrize("name", sorted([*REQUIRED_FILES, CARD]))
def test_a_missing_file_is_named(published: Repository, refuse: Refuse, name: str) -> None:
    published.commit({key: value for key, value in published.files.items() if key != name}, "Lose")
    refuse(f"lacks {name}. Choose a repository that")


def test_a_file_that_is_too_large_is_not_downloaded(
    hub: ModelHub, published: Repository, refuse: Refuse
) -> None:
    hub.sizes[PROGRAM] = 2**31
    refuse(f"{PROGRAM} of a model must have at most 1,073,741,824 bytes, but anna/landslides lists")
    assert hub.paths("/resolve/") == []


def test_a_hub_that_sends_more_than_it_lists_is_stopped(
    hub: ModelHub, published: Repository, refuse: Refuse
) -> None:
    hub.served["MLmodel"] = published.files["MLmodel"] * 1000
    refuse("bytes it lists, but got more than")


def test_a_card_without_a_digest_is_refused(published: Repository, refuse: Refuse) -> None:
    for card in (b"# A model\n", b"---\nlicense: mit\n---\n", b"---\nmodel_sha256: 12\n---\n"):
        published.commit(published.files | {CARD: card}, "Other card")
        refuse("metadata that states model_sha256, 64 hexadecimal digits, but got ")
    published.commit(published.files | {CARD: b"---\n{[\n---\n"}, "No YAML")
    refuse("The text must be YAML, but got")


@pytest.mark.parametrize("name", [CARD, "MLmodel"])
def test_references_that_multiply_are_refused(
    published: Repository, refuse: Refuse, name: str
) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "\n".join(["a0: &a0 [x]", *levels, ""]).encode()
    if name == CARD:
        card = published.files[CARD].replace(b"---\n", b"---\n" + bomb, 1)
        published.commit(published.files | {CARD: card}, "Multiply")
    else:
        forge(published, MLmodel=bomb + b"flavors: *a11\n")
    refuse("The YAML must have no references, but got one")


@pytest.mark.parametrize("end", [0, 100, -1, -5000])
def test_a_truncated_network_is_refused_although_its_digest_is_stated(
    published: Repository, refuse: Refuse, end: int
) -> None:
    forge(published, **{PROGRAM: published.files[PROGRAM][:end]})
    refuse("A network's file must be a whole ONNX file, but got ")


def test_two_different_networks_are_refused(published: Repository, refuse: Refuse) -> None:
    model = onnx.load_model_from_string(published.files[PROGRAM])
    weight = next(one for one in model.graph.initializer if len(one.dims) == 4)
    changed = numpy_helper.to_array(weight) + np.float32(0.5)
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    forge(published, **{PROGRAM: model.SerializeToString()})
    refuse("model.onnx and weights.safetensors must be the same network to 0.0005, but got a")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"threshold": 0.25', b'"threshold": 25', "Thresholds must be in [0, 1]"),
        (b'"timesteps": 4', b'"timesteps": 5', "The input must be that of the network"),
    ],
)
def test_facts_of_another_network_are_refused(
    published: Repository, refuse: Refuse, old: bytes, new: bytes, message: str
) -> None:
    facts = published.files["artifacts/facts.json"]
    assert old in facts
    forge(published, **{"artifacts/facts.json": facts.replace(old, new)})
    refuse(message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"model_code_path: served_model.py", b"python_model: artifacts/config.json"),
        (b"loader_module: mlflow.pyfunc.loaders.code_model", b"loader_module: os"),
        (b"code: null", b"code: artifacts"),
        (b"path: artifacts/facts.json", b"path: ../../facts.json"),
        (b"uri: artifacts/facts.json", b"uri: https://example.org/facts.json"),
        (b"  python_function:", b"  sklearn:\n    pickled_model: MLmodel\n  python_function:"),
        (b"prompts: null", b"prompts: null\nresources: {}"),
        (b"flavors:", b"flavors: [\n"),
    ],
)
def test_description_that_makes_mlflow_load_something_else_is_refused(
    published: Repository, refuse: Refuse, old: bytes, new: bytes
) -> None:
    assert old in published.files["MLmodel"]
    forge(published, MLmodel=published.files["MLmodel"].replace(old, new))
    refuse("MLmodel")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("requirements.txt", b"stolen-package==1.0"),
        ("requirements.txt", b"--index-url https://example.org"),
        ("requirements.txt", b"mlflow @ https://example.org/mlflow.whl"),
        ("conda.yaml", b"  - git+https://example.org/x"),
        ("python_env.yaml", b"- -r https://example.org/requirements.txt"),
    ],
)
def test_requirements_that_install_something_else_are_refused(
    published: Repository, refuse: Refuse, name: str, line: bytes
) -> None:
    forge(published, **{name: published.files[name].rstrip() + b"\n" + line + b"\n"})
    refuse("The requirements of a model must be versions of onnxruntime, mlflow, numpy")


def test_foreign_code_is_refused_or_marked_and_never_run(
    call: Call, published: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran, here = tmp_path / "ran", tmp_path / "here"
    trap = f"\nopen({str(ran)!r}, 'w').close()\n".encode()
    forge(published, **{CODE: published.files[CODE] + trap})
    assert call("pull", ADDRESS, at=here) == 1
    assert f"The {CODE} of a model must be this release's" in capsys.readouterr().err
    assert call("pull", ADDRESS, "--untrusted", at=here) == 0
    assert "never load it by mlflow.pyfunc.load_model" in capsys.readouterr().out
    client, uri = connect(here)[0], f"models:/{NAME}/1"
    version = client.get_model_version(NAME, "1")
    assert version.tags["served_code"].startswith("its publisher's: do not load")
    assert version.tags["served_code"] in version.description
    load_registered(client, uri)
    load_torch(uri, client)
    load_members(uri, here)
    assert not ran.exists()
    exec(compile(trap, "trap", "exec"))  # noqa: S102 - the trap does work
    assert ran.exists()


def test_a_stranger_cannot_state_a_gate_or_scores_of_this_registry(
    call: Call, published: Repository, tmp_path: Path
) -> None:
    lines = b"metadata:\n  gate: passed\n  val_pr_auc: '0.99'\n  considered: now\n"
    forge(published, MLmodel=published.files["MLmodel"].replace(b"metadata:\n", lines))
    card = published.files[CARD].replace(b"  tags:\n", b"  tags:\n    gate: passed\n")
    published.commit(published.files | {CARD: card}, "Claim")
    assert call("pull", ADDRESS, at=tmp_path / "here") == 0
    client, _ = connect(tmp_path / "here")
    tags = client.get_model_version(NAME, "1").tags
    assert not {"gate", "val_pr_auc", "considered"} & tags.keys()
    assert client.get_registered_model(NAME).aliases == {}
