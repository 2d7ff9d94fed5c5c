"""A small matrix on disk: a reference cell and two others, without data."""

from pathlib import Path

from tuning.matrix.command.request import parse_command
from tuning.matrix.plan import MatrixPlan
from tuning.matrix.planning.make_plan import plan_matrix
from tuning.matrix.saved_matrices import save_matrix
from tuning.settings.settings import Settings

WORDS = ["--vary", "channels=s1,VV", "--vary", "train=0.5,1", "--cross", "unet,log_ratio_vv"]


def plan_tiny(root: Path, *words: str, name: str = "tiny") -> tuple[MatrixPlan, list[Settings]]:
    """Plan the small matrix, with further words of the command."""
    command = parse_command([*WORDS, "--preset", "smoke", "--name", name, *words])
    planned = plan_matrix(command.options, command.study, root)
    return planned.plan, [cell.settings for cell in planned.cells]


def save_tiny(root: Path, *words: str) -> tuple[MatrixPlan, list[Settings]]:
    """Plan and save the small matrix."""
    plan, cells = plan_tiny(root, *words)
    save_matrix(root, plan, cells)
    return plan, cells
