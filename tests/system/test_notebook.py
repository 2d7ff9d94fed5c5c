"""The notebook of docs/ runs from the command to the map, and shows the results."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tuning.tracking.client import connect, find_runs

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "map.ipynb"


def test_the_notebook_is_shown_with_what_it_made() -> None:
    cells = nbformat.read(NOTEBOOK, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not any(output.output_type == "error" for output in outputs)
    assert str(ROOT) not in NOTEBOOK.read_text()


@pytest.mark.slow
def test_the_notebook_runs_from_the_command_to_the_map(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    (parameters,) = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    # A network that is hardly trained passes no gate, so that its version has no alias.
    parameters.source = "\n".join(
        [
            'MODEL, PRESET = "unet", "smoke"',
            f"ROOT = {str(tmp_path / 'mlruns')!r}",
            'NAME, OPTIONS = "models:/hokkaido-unet/1", ["--untrusted"]',
        ]
    )
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        patch.chdir(tmp_path)
        client.execute()
    assert find_runs(*connect(tmp_path / "mlruns"), kind="campaign")
    made = {file.name for file in (tmp_path / "mlruns" / "maps").rglob("*.*")}
    assert {"probability.tif", "landslides.gpkg", "quicklook.png", "spread.tif"} <= made
