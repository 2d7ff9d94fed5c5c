"""Ratios are computed pair by pair, missed aims are reported, and both sides compute the same."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import create_model

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(PROJECT / "benchmarks"))

from _textbook import TextbookNetwork, check_same
from _turns import Ratio, Side, judge, take_turns

ECHO = """
import sys
sys.path.insert(0, "benchmarks")
from _turns import serve
serve(lambda request: [sys.argv[1], request])
"""


def test_a_ratio_is_of_pairs() -> None:
    ratio = Ratio.of([1.0, 20.0, 6.0], [1.0, 10.0, 2.0])
    assert (ratio.middle, ratio.low, ratio.high) == (2.0, 1.0, 3.0)


def test_an_aim_is_kept_or_its_miss_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    ratio = Ratio(1.5, 1.2, 1.8)
    kept = [judge("a", ratio, least=1.5), judge("b", ratio, most=1.5), judge("c", ratio)]
    missed = [judge("d", ratio, least=1.6), judge("e", ratio, most=1.4)]
    assert (kept, missed) == ([True] * 3, [False] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("MISSED") for line in lines] == [False, False, False, True, True]
    assert lines[0] == "a: 1.5 (1.2 to 1.8; aim: at least 1.5)"


def test_sides_answer_in_turns_and_one_that_dies_is_named(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    found = take_turns(str(script), {"left": ["l"], "right": ["r"]}, [1, {"two": 2}])
    assert found == {"left": [["l", 1], ["l", {"two": 2}]], "right": [["r", 1], ["r", {"two": 2}]]}
    script.write_text("raise SystemExit(3)")
    with Side(str(script), ["x"]) as side, pytest.raises(RuntimeError, match=r"ended with 3\."):
        side.receive()


@pytest.mark.parametrize("skip_mode", ["last", "mean", "max"])
def test_the_textbook_network_is_the_same_function(skip_mode: str) -> None:
    torch.manual_seed(0)
    network = create_model("unet_convlstm", 2, 3, width=4, depth=2, skip_mode=skip_mode)
    textbook = TextbookNetwork(network)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 2, 16, 16)
    check_same(network, textbook, x)  # type: ignore[arg-type]
    with torch.no_grad():
        textbook.convlstm.biases[1] += 0.5
    with pytest.raises(ValueError, match=r"must equal ours to 0\.0001, but its logits differ by"):
        check_same(network, textbook, x)  # type: ignore[arg-type]


def test_an_unknown_script_is_named_with_the_nearest() -> None:
    words = [sys.executable, str(PROJECT / "benchmarks" / "check.py"), "train_stp"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Unknown script 'train_stp'. Did you mean 'train_step'?" in done.stderr
