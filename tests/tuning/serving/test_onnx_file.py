"""A network's ONNX file is checked before a library parses it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.served_fixtures import write_network_files
from tuning.serving import onnx_file
from tuning.serving.onnx_file import OnnxError, examine_onnx, read_onnx
from tuning.serving.onnx_weights import load_uncalibrated
from tuning.serving.program import Program, load_program

Spoil = Callable[[onnx.ModelProto], object]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network_files(tmp_path_factory.mktemp("network"))


def change(file: Path, spoil: Spoil) -> bytes:
    """Return the file's content after a change."""
    model = onnx.load(file)
    spoil(model)
    content: bytes = model.SerializeToString()
    return content


def first_weight(model: onnx.ModelProto) -> TensorProto:
    return next(one for one in model.graph.initializer if one.name == "norm_mean")


def refer_to_a_file(model: onnx.ModelProto) -> None:
    weight = first_weight(model)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def declare_ten_gigabytes(model: onnx.ModelProto) -> None:
    first_weight(model).dims[:] = [2_500_000_000, 1, 1]


def declare_more_than_numbers_hold(model: onnx.ModelProto) -> None:
    first_weight(model).dims[:] = [-1, 1, 1]


def add_a_foreign_node(model: onnx.ModelProto) -> None:
    model.graph.node.add(op_type="Run", input=["x"], output=["y"], domain="com.example")


def import_a_foreign_domain(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)


def add_a_function(model: onnx.ModelProto) -> None:
    one = helper.make_node("Relu", ["a"], ["b"])
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("", "Own", ["a"], ["b"], [one], opset))


def add_training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def add_a_sparse_weight(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add()


def hide_a_file_in_an_attribute(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "inner")
    tensor.external_data.add(key="location", value="other.bin")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def hide_a_domain_in_a_branch(model: onnx.ModelProto) -> None:
    branch = helper.make_graph(
        [helper.make_node("Run", [], ["r"], domain="com.example")], "branch", [], []
    )
    model.graph.node.append(
        helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)
    )


def nest_deeply(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(onnx_file.MAX_DEPTH + 1):
        inner = helper.make_graph(
            [helper.make_node("If", ["x"], ["z"], then_branch=inner)], "g", [], []
        )
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner))


def use_an_unknown_type(model: onnx.ModelProto) -> None:
    first_weight(model).data_type = TensorProto.STRING


def remove_the_graph(model: onnx.ModelProto) -> None:
    model.ClearField("graph")


def remove_the_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            refer_to_a_file,
            "weights must be inside its file, but got the weight 'norm_mean' in another",
        ),
        (
            hide_a_file_in_an_attribute,
            "inside its file, but got the weight 'inner' in another file",
        ),
        (declare_ten_gigabytes, r"but got 16 instead of 10,000,000,000 bytes for 'norm_mean' of"),
        (
            declare_more_than_numbers_hold,
            r"a whole ONNX file, but got the weight 'norm_mean' of type 1",
        ),
        (use_an_unknown_type, "a whole ONNX file, but got the weight 'norm_mean' of type 8"),
        (add_a_foreign_node, r"ONNX's own \(domain ai\.onnx\), but got the domain 'com\.example'"),
        (hide_a_domain_in_a_branch, r"ONNX's own .*, but got the domain 'com\.example'"),
        (import_a_foreign_domain, r"ONNX's own .*, but got the domain 'com\.microsoft'"),
        (add_a_function, "must hold one graph only, but got a function of its own"),
        (add_training, "must hold one graph only, but got training information"),
        (add_a_sparse_weight, "Weights must be dense, but got a sparse weight"),
        (nest_deeply, "but got graphs nested more than 8 deep"),
        (remove_the_graph, "must be a whole ONNX file, but got 0 graphs of opset 20"),
        (remove_the_opset, "must be a whole ONNX file, but got 1 graphs of opset 0"),
    ],
)
def test_file_that_is_not_plain_weights_and_operators_is_refused(
    file: Path, tmp_path: Path, spoil: Spoil, message: str
) -> None:
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(change(file, spoil))
    for load in (load_program, load_uncalibrated):
        with pytest.raises(OnnxError, match=f"{message}.*changed.onnx.*download the model again"):
            load(changed)


def test_file_that_is_cut_off_is_refused_at_any_length(file: Path) -> None:
    content = file.read_bytes()
    for size in (0, 1, 50, len(content) // 3, len(content) // 2, len(content) - 1):
        with pytest.raises(
            OnnxError, match=r"must (be a whole ONNX file|run in ONNX Runtime), but"
        ):
            Program(content[:size], "cut.onnx")


@pytest.mark.parametrize(
    "content",
    [b"not a network" * 100, b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x7f", b"\x80", b"\x0b"],
)
def test_file_of_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(OnnxError, match=r"must be a whole ONNX file, but got .* in other\.onnx"):
        examine_onnx(content, "other.onnx")


def test_no_flipped_bit_is_a_crash(file: Path) -> None:
    """A file with a flipped bit is refused, or is a file with another weight, which only the digest can know."""
    content = file.read_bytes()
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 300):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(8))
        try:
            examine_onnx(bytes(flipped), "flipped.onnx")
        except OnnxError:
            continue


def test_file_that_is_too_large_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_ONNX_BYTES", 1000)
    with pytest.raises(OnnxError, match=r"must have at most 0 MB, but got 0 MB in .*model\.onnx"):
        read_onnx(file)


def test_facts_of_a_file_are_those_that_onnx_reads(file: Path) -> None:
    model, facts = onnx.load(file), examine_onnx(file.read_bytes(), file)
    assert facts.operators.total() == len(model.graph.node)
    assert facts.operators["Conv"] == sum(node.op_type == "Conv" for node in model.graph.node)
    assert facts.metadata == {one.key: one.value for one in model.metadata_props}
    assert facts.opset == model.opset_import[0].version
