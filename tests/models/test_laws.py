"""The contract's command names each law with pass or fail and the remedy."""

import re
from pathlib import Path

import pytest

from models import _registry
from models.check import laws
from models.check.__main__ import main
from models.check.check import BUILD, CALL, SIZES, parse_arch
from models.check.laws import LAWS
from tests.support.outside_networks import read_example, write_tiny

BODY = "        return self.head(self.mix(x.flatten(1, 2)).relu())"
TEXTS = [law.text for law in LAWS]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_added", {})


def change(folder: Path, body: str, init: str = "", head: str = "") -> str:
    """Write the network with another forward pass, more in its ``__init__``, and more class attributes."""
    reference = write_tiny(folder)
    text = (folder / "tiny.py").read_text().replace(BODY, body)
    text = text.replace("        self.head =", f"        {init}\n        self.head =")
    text = text.replace("(nn.Module):\n", f"(nn.Module):\n    {head}\n")
    (folder / "tiny.py").write_text("import torch\n" + text)
    return reference


def test_law_of_a_graph_is_named_without_torchs_own_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "        y = self.head(self.mix(x.flatten(1, 2)))\n        return y if y.mean() > 0 else -y"
    )
    assert main([change(tmp_path, body)]) == 1
    said, logged = capsys.readouterr()
    assert "torch.ops.aten" not in said + logged
    assert "without Python branches or loops" in said


def read_failures(output: str) -> list[str]:
    return re.findall(r"^FAIL  (.+?): ", output, re.MULTILINE)


def test_network_that_keeps_all_passes_with_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([write_tiny(tmp_path), "--timesteps", "3", "--arch", "width=6"]) == 0
    said = capsys.readouterr().out
    assert "TinyNet (tiny_net) of " in said
    assert "arguments {'width': 6}" in said
    assert said.count("pass  ") == 3 + sum(not law.dated for law in LAWS)
    for fact in ("parameters", "another order of time changes", " ms a tile of 128 px", " MB a ti"):
        assert re.search(rf"^fact  .*{fact}", said, re.MULTILINE), fact


def test_own_networks_keep_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unet_ltae", "--arch", "width=8"]) == 0
    assert capsys.readouterr().out.count("pass  ") == 3 + len(LAWS)


BROKEN = [
    ("        return self.head(self.mix(x.flatten(1, 2))).expand(-1, 2, -1, -1)", "", {0}),
    ("        return self.head(self.mix(x.flatten(1, 2)))[..., ::2, ::2]", "", {0}),
    (f"{BODY} + x.mean((1, 2, 3, 4), keepdim=False).mean()", "", {4}),
    (f"{BODY} + torch.rand(())", "", {3, 4, 6, 7}),
    (BODY, "self.unused = nn.Linear(2, 2)", {2}),
    (
        BODY.replace(
            "x.flatten(1, 2)", "self.norm(x.flatten(1, 2).mean((2, 3), True)) + x.flatten(1, 2)"
        ),
        "self.norm = nn.BatchNorm2d(in_channels * timesteps)",
        {1},
    ),
    (f"{BODY} * 1e5 ** 4 * 1e5", "", {5}),
    (f"{BODY} * self.scale", "self.scale = torch.rand(())", {6}),
    (
        "        y = self.head(self.mix(x.flatten(1, 2)))\n        return y if y.mean() > 0 else -y",
        "",
        {7},
    ),
    (f"{BODY}.sigmoid()", "", {8}),
]


@pytest.mark.parametrize(("body", "init", "broken"), BROKEN)
def test_broken_law_is_named_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, init: str, broken: set[int]
) -> None:
    assert main([change(tmp_path, body, init)]) == 1
    said = capsys.readouterr().out
    failed = read_failures(said)
    assert {TEXTS[number] for number in broken} <= set(failed), said
    for number in broken:
        assert f"      {LAWS[number].remedy}\n" in said


@pytest.mark.parametrize("number", [9, 10])
def test_law_of_dates_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    text = "        return self.head(self.mix(x.flatten(1, 2)).relu())"
    if number == 10:  # any T, without a mask
        text = "        return self.head(self.mix(x.mean(1, True).expand(-1, 4, -1, -1, -1).flatten(1, 2)).relu())"
    reference = change(tmp_path, text, head="reads_dates = True")
    source = (tmp_path / "tiny.py").read_text().replace("x: Tensor)", "x: Tensor, days: Tensor)")
    (tmp_path / "tiny.py").write_text(source)
    assert main([reference]) == 1
    assert TEXTS[number] in read_failures(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("init", "body", "law", "reason"),
    [
        ("raise RuntimeError('too wide')", BODY, BUILD, "RuntimeError: too wide"),
        ("raise SystemExit(3)", BODY, BUILD, "SystemExit: 3"),
        ("self.reads_dates = True", BODY, CALL, "reads_dates is True, but its forward takes (x: "),
        ("", "        raise RuntimeError('no')", SIZES, "at multiples of 128 px it said: RuntimeE"),
    ],
)
def test_first_laws_end_the_check(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    init: str,
    body: str,
    law: str,
    reason: str,
) -> None:
    assert main([change(tmp_path, body, init)]) == 1
    said = capsys.readouterr().out
    assert f"FAIL  {law}: {reason}" in said
    assert not set(TEXTS) & set(read_failures(said))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unett"], "error: Unknown model 'unett'. Did you mean 'unet'? "),
        (["no_such:Net"], "error: A network's module must be importable, but no_such is not: "),
        (
            ["unet", "--arch", "8"],
            "error: An argument of a network must be NAME=VALUE, but got '8'.",
        ),
    ],
)
def test_network_that_is_not_found_is_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_values_of_arguments_are_numbers_or_texts() -> None:
    assert parse_arch(["a=8", "b=0.5", "c=plain"]) == {"a": 8, "b": 0.5, "c": "plain"}


def test_contributing_names_every_law() -> None:
    text = " ".join((Path(laws.__file__).parents[2] / "CONTRIBUTING.md").read_text().split())
    assert [law for law in (BUILD, CALL, SIZES, *TEXTS) if law not in text] == []


def test_network_of_the_page_keeps_every_law(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_net.py").write_text(read_example())
    assert main([f"{tmp_path / 'my_net.py'}:MyNet"]) == 0
    assert "MyNet (my_net) of " in capsys.readouterr().out
