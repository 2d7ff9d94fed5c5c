"""A network from outside becomes one of the others by a reference, an entry point, or a call."""

import importlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from torch import nn

import models
from models import _registry
from tests.support.outside_networks import write_tiny

NAMES = models.list_models()


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_registry, "_added", {})
    monkeypatch.setattr(_registry, "_announced", {})
    yield
    _registry._list_entry_points.cache_clear()


class Module(nn.Module):
    """A class of this file."""

    SPACE = {"scale": [1.0, 2.0]}  # noqa: RUF012

    def __init__(self, in_channels: int, timesteps: int, scale: float = 2.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.mean((1, 2))[:, None]


def test_file_and_class_make_a_network_of_signature_defaults(tmp_path: Path) -> None:
    name = models.add_network(write_tiny(tmp_path))
    assert name == "tiny_net"
    assert name in models.list_models()
    made = models.get_architecture(name)
    assert (models.search_space(name), models.known_good(name), made.narrow) == ({}, {}, {})
    assert made.paper_name == "TinyNet"
    assert made.reference == f"{tmp_path / 'tiny.py'}:TinyNet"
    assert list(made.sources) == ["layers_of_tiny.py", "tiny.py"]
    network = models.create_model(name, 2, 3, width=8)
    assert network(torch.zeros(1, 3, 2, 8, 8)).shape == (1, 1, 8, 8)


def test_relative_path_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert models.get_architecture(models.add_network("tiny.py:TinyNet")).reference == absolute


def test_name_before_the_reference_is_the_network_s(tmp_path: Path) -> None:
    assert models.add_network(f"mine={write_tiny(tmp_path)}") == "mine"


@pytest.mark.parametrize(
    ("more", "space", "good"),
    [
        ("SPACE = {'width': [2, 4]}", {"width": [2, 4]}, {"width": 4}),
        ("SPACE = {'width': [2, 8]}", {"width": [2, 8]}, {"width": 2}),
        ("KNOWN_GOOD = {'width': 16}", {"width": [16]}, {"width": 16}),
        ("TinyNet.SPACE = {'width': [1, 2]}\nSPACE = {}", {"width": [1, 2]}, {"width": 1}),
    ],
)
def test_what_a_network_does_not_say_has_a_default(
    tmp_path: Path, more: str, space: dict[str, list[int]], good: dict[str, int]
) -> None:
    name = models.add_network(write_tiny(tmp_path, more))
    assert models.search_space(name) == space
    assert models.known_good(name) == models.published(name) == good


def test_module_is_found_by_its_dotted_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path / "given_package")
    (tmp_path / "given_package" / "__init__.py").write_text("")
    text = (tmp_path / "given_package" / "tiny.py").read_text()
    (tmp_path / "given_package" / "tiny.py").write_text(text.replace("layers_", ".layers_"))
    monkeypatch.syspath_prepend(tmp_path)
    made = models.get_architecture(models.add_network("given_package.tiny:TinyNet"))
    assert made.reference == "given_package.tiny:TinyNet"
    assert sorted(made.sources) == [
        f"given_package/{name}.py" for name in ("__init__", "layers_of_tiny", "tiny")
    ]
    by_path = models.add_network(f"again={tmp_path / 'given_package' / 'tiny.py'}:TinyNet")
    assert models.get_architecture(by_path).digest == made.digest


def test_file_beside_a_network_may_have_the_name_of_a_package_here(tmp_path: Path) -> None:
    reference = write_tiny(tmp_path)
    (tmp_path / "data.py").write_text((tmp_path / "layers_of_tiny.py").read_text())
    text = (tmp_path / "tiny.py").read_text().replace("layers_of_tiny", "data")
    (tmp_path / "tiny.py").write_text(text)
    own = importlib.import_module("data")
    models.create_model(models.add_network(reference), 1, 1)
    assert sys.modules["data"] is own


def test_call_registers_a_class_of_a_file() -> None:
    assert models.register_model("by_call", Module) == "by_call"
    made = models.get_architecture("by_call")
    assert (made.place, made.paper_name) == (__name__, "Module") or made.place == __file__
    assert models.search_space("by_call") == {"scale": [1.0, 2.0]}
    assert models.known_good("by_call") == {"scale": 2.0}


def test_entry_point_of_an_installed_package_is_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("plugged", "tiny:TinyNet", _registry.GROUP),
        EntryPoint("unet", "tiny:TinyNet", _registry.GROUP),
    ]
    monkeypatch.setattr(_registry, "entry_points", lambda group: points)
    _registry._list_entry_points.cache_clear()
    assert models.list_models() == sorted([*NAMES, "plugged"])
    assert models.get_architecture("plugged").reference == "tiny:TinyNet"
    assert models.paper_name("unet") == "VanillaUNet"


def test_network_is_recalled_from_copies_of_its_sources(tmp_path: Path) -> None:
    made = models.get_architecture(models.add_network(write_tiny(tmp_path / "there")))
    for name, text in made.sources.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "there" / "tiny.py").unlink()
    _registry._added.clear()
    models.recall_network(made.name, made.reference, made.digest, tmp_path, sent=True)
    assert models.get_architecture(made.name).digest == made.digest
    assert models.create_model(made.name, 1, 1) is not None


def test_changed_source_is_refused_with_both_hashes_before_it_is_run(tmp_path: Path) -> None:
    made = models.get_architecture(models.add_network(write_tiny(tmp_path)))
    write_tiny(tmp_path, "raise SystemExit('it was run')\n")
    _registry._added.clear()
    message = f"The network tiny_net must be the one that was trained, .+ hash {made.digest} then, "
    with pytest.raises(ValueError, match=message + r"\w{12} now\. Put the former files back"):
        models.recall_network(made.name, made.reference, made.digest)


def test_announced_network_is_named_but_not_listed() -> None:
    models.announce_network("far_net", "FarNet")
    assert models.is_network("far_net")
    assert models.paper_name("far_net") == "FarNet"
    assert "far_net" not in models.list_models()
    with pytest.raises(ValueError, match="Unknown model 'far_net'"):
        models.create_model("far_net", 1, 1)


FORMS = "A network from outside must be named as package.module:Class, path/to/file.py:Class, smp:"
ERRORS = [
    ("{0}/tony.py:TinyNet", "Unknown file 'tony.py'. Did you mean 'tiny.py'? Available: layers_of"),
    ("{0}/tiny.py:TinyNt", "tiny.py: 'TinyNt'. Did you mean 'TinyNet'? Available: TinyNet."),
    ("{0}/tiny.py:mix", "must be a class derived from torch.nn.Module, but {0}/tiny.py:mix is <fu"),
    ("{0}/tiny.py", FORMS),
    ("tiny net:TinyNet", FORMS),
    ("no_such:Net", "must be importable, but no_such is not: ModuleNotFoundError: No module named"),
    ("unet={0}/tiny.py:TinyNet", "but unet of {0}/tiny.py:TinyNet is that of a file of this proj"),
    ("Mine={0}/tiny.py:TinyNet", "must have 1 to 60 small letters, digits and '_', with a letter"),
]


@pytest.mark.parametrize(("reference", "message"), ERRORS)
def test_reference_to_no_network_is_refused_with_a_remedy(
    tmp_path: Path, reference: str, message: str
) -> None:
    write_tiny(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message.format(tmp_path))):
        models.add_network(reference.format(tmp_path))


MODULE_ERRORS = [
    ("import no_such_package", "No module named 'no_such_package'. Install the package of 'no_suc"),
    ("1 / 0", "TinyNet is not: ZeroDivisionError: division by zero. Correct it."),
    ("from . import b", "no known parent package. Write 'from neighbour import …' without the dot"),
    ("TinyNet.__name__ = 'Ü'", "has 'Ü'. Write PAPER_NAME = \"…\" into its class."),
    ("def", "A network's source must be Python, but {0}/tiny.py is not: invalid syntax"),
    ("SPACE = [1]", "SPACE must be a dict by the names of arguments, but the network tiny_net has"),
    ("SPACE = {{'width': 4}}", "must have a list of values for each argument, but the network tin"),
    ("PAPER_NAME = '<b>'", "PAPER_NAME must be a text of at most 80 letters, digits, spaces and"),
]


@pytest.mark.parametrize(("more", "message"), MODULE_ERRORS)
def test_module_with_a_mistake_is_refused_with_its_reason(
    tmp_path: Path, more: str, message: str
) -> None:
    reference = write_tiny(tmp_path, more.format() + "\n")
    with pytest.raises(ValueError, match=re.escape(message.format(tmp_path))):
        models.add_network(reference)


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    models.add_network(write_tiny(tmp_path / "one"))
    other = write_tiny(tmp_path / "two")
    message = f"tiny_net of {other} is that of {tmp_path}/one/tiny.py:TinyNet. Choose another: my_"
    with pytest.raises(ValueError, match=re.escape(message)):
        models.add_network(other)


def test_class_in_a_function_is_refused() -> None:
    class Inner(nn.Module):
        pass

    with pytest.raises(ValueError, match=r"must stand in its module itself, but got .+Inner of "):
        models.register_model("inner", Inner)


def test_too_many_sources_are_refused(tmp_path: Path) -> None:
    reference = write_tiny(tmp_path, "\n".join(f"import many_{n}" for n in range(200)))
    for number in range(200):
        (tmp_path / f"many_{number}.py").write_text("")
    with pytest.raises(ValueError, match=r"at most 200 with 4,000,000 characters .+ imports 202"):
        models.add_network(reference)
