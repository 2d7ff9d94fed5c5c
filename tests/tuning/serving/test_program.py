"""A network's file as a program: shapes, threads, and files of other networks."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.served_fixtures import write_network_files
from tuning.serving import program as program_module
from tuning.serving.onnx_file import OnnxError
from tuning.serving.program import Program, check_shape, count_threads, load_program


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network_files(tmp_path_factory.mktemp("network"))


def make_input(batch: int, side: int) -> np.ndarray:
    noise = np.random.default_rng(batch).normal(-12, 4, (batch, 4, 4, side, side))
    return noise.astype(np.float32)


def test_large_batches_are_run_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = load_program(file), make_input(5, 32)
    whole = program(x)
    monkeypatch.setattr(program_module, "CALL_PX", 2 * 32 * 32)
    np.testing.assert_allclose(program(x), whole, atol=1e-6)
    monkeypatch.setattr(program_module, "CALL_PX", 1)
    assert program(x).shape == (5, 32, 32)


def test_answers_do_not_depend_on_threads(file: Path) -> None:
    x = make_input(2, 64)
    one, two = (load_program(file, threads=threads)(x) for threads in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_strides_and_number_types_do_not_matter(file: Path) -> None:
    program, x = load_program(file), make_input(2, 32)
    flipped = np.flip(x, -1)
    np.testing.assert_array_equal(program(flipped), program(flipped.copy()))
    np.testing.assert_array_equal(program(x.astype(np.float64)), program(x))


def test_threads_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert count_threads() == len(os.sched_getaffinity(0))
    for text, wanted in (("3", 3), ("0", count_threads()), ("many", count_threads())):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert count_threads() == wanted


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (4, 4, 32, 32),
            r"must be a batch \(B, T=4, C=4, H, W\), but got one tile \(4, 4, 32, 32\)",
        ),
        (
            (1, 5, 4, 32, 32),
            r"must have shape .*T=4, C=4.* but got \(1, 5, 4, 32, 32\)\. Pass the acq",
        ),
        ((0, 4, 4, 32, 32), r"must have shape .* but got \(0, 4, 4, 32, 32\)"),
        (
            (1, 4, 4, 32, 20),
            r"H and W must be multiples of 8, but got 32 x 20\. Pad with NaN or crop",
        ),
        ((1, 4, 4, 0, 8), r"H and W must be multiples of 8, but got 0 x 8"),
    ],
)
def test_input_of_another_shape_is_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_shape(shape, 4, 4, 8)


def make_other(
    rank: int = 5, name: str = "x", multiple: str = "8", kind: str = "Identity"
) -> bytes:
    """Make a small network that is not one of a time series."""
    shape = [None, 4, 4, None, None][:rank]
    graph = helper.make_graph(
        [helper.make_node(kind, [name], ["probability"])],
        "other",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, None, None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.helper.set_model_props(model, {"multiple_px": multiple})
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            make_other(rank=4),
            r"must map x \(B, T, C, H, W\), and days \(B, T\) if it reads dates, to probability \(B, H, W\), but got \['x'\]",
        ),
        (make_other(name="y"), r"must map x .*, but got \['y'\] of shape"),
        (make_other(kind="NoSuchOperator"), r"must run in ONNX Runtime, but got .*NoSuchOperator"),
    ],
)
def test_network_of_another_kind_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(OnnxError, match=message):
        Program(content, "other.onnx")


@pytest.mark.parametrize("multiple", ["", "0", "-8", "eight", "99999"])
def test_multiple_of_pixels_is_checked(file: Path, multiple: str) -> None:
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"multiple_px": multiple})
    with pytest.raises(
        OnnxError, match=f"multiple_px must be a number of pixels, but got '{multiple}'"
    ):
        Program(model.SerializeToString(), "other.onnx")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.onnx"):
        load_program(tmp_path / "nothing.onnx")
