"""One training on the CPU, its rows without times, and a network whose outputs are faulty."""

from pathlib import Path

import torch

from data.pack import Pack
from tuning.train.fit import fit
from tuning.trial.folder import Config, Row

CPU = torch.device("cpu")
TIMED_FIELDS = ("seconds", "time_ms", "system")  # these differ between equal trainings


def train_rows(config: Config, pack: Pack, folder: Path) -> list[Row]:
    """Train a config in a folder; return the row of each epoch without its timed fields."""
    rows: list[Row] = []
    fit(config, pack, folder, rows.append, device=CPU)
    return [
        {name: value for name, value in row.items() if name not in TIMED_FIELDS} for row in rows
    ]


class FaultyNet(torch.nn.Module):
    """Adds a value to constant logits, in eval mode only."""

    def __init__(self, in_eval: float) -> None:
        super().__init__()
        self.in_eval, self.bias = in_eval, torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.bias.expand(len(x), 1, *x.shape[-2:])
        return logits if self.training else logits + self.in_eval
