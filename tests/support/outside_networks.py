"""Networks that are no file of this project, written into folders of tests."""

from pathlib import Path

TINY = '''"""One convolution over all acquisitions, by an own layer in the file beside."""

from torch import Tensor, nn

from layers_of_tiny import mix


class TinyNet(nn.Module):
    def __init__(self, in_channels: int, timesteps: int, width: int = 4) -> None:
        super().__init__()
        self.mix = mix(in_channels * timesteps, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mix(x.flatten(1, 2)).relu())
'''
LAYERS = '''"""Layers of the file beside."""

from torch import nn


def mix(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)
'''


def write_tiny(folder: Path, more: str = "") -> str:
    """Write the network and the file that it imports; return its reference."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.py").write_text(TINY + more)
    (folder / "layers_of_tiny.py").write_text(LAYERS)
    return f"{folder / 'tiny.py'}:TinyNet"


def read_example() -> str:
    """Return the text of ``my_net.py`` as docs/your_network.md shows it."""
    page = (Path(__file__).parents[2] / "docs" / "your_network.md").read_text(encoding="utf-8")
    return page.split("```python\n", 1)[1].split("```", 1)[0]
