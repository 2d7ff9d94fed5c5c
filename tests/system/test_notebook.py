"""The notebook of docs/ runs from the command to the map, and shows the results."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.faults.campaigns import Command
from tuning.settings.arguments import parse_arguments
from tuning.tracking.client import connect, find_runs

pytestmark = pytest.mark.file_s(90)

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


def list_code() -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]


def test_a_folder_without_a_campaign_gets_one_by_the_command_of_the_readme(tmp_path: Path) -> None:
    parameters, *others = list_code()
    (training,) = [cell for cell in others if '"tuning.run"' in cell.source]
    called: list[tuple[str, ...]] = []
    names = {"Path": Path, "run": lambda *words: called.append(tuple(map(str, words)))}
    exec(parameters.source, names)  # noqa: S102
    names["ROOT"] = str(tmp_path / "mlruns")
    exec(training.source, names)  # noqa: S102
    (module, *words), (registry, *_) = called
    assert (module, registry) == ("tuning.run", "tuning.registry")
    given = vars(parse_arguments(words))
    assert (given["model"], given["root"]) == (["all"], tmp_path / "mlruns")
    assert f"python -m {module} --model all" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_notebook_runs_from_the_campaign_to_the_map(
    calm: Command, twin: Path, tmp_path: Path
) -> None:
    assert calm.run_once() == 0, calm.read_log()
    root = calm.copy_to(tmp_path / "mlruns").root
    shutil.copytree(twin, root / "data" / twin.name, copy_function=os.link)
    notebook = nbformat.read(NOTEBOOK, 4)
    (parameters,) = [
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    ]
    # A network that is hardly trained passes no gate, so that its version has no alias.
    parameters.source = "\n".join(
        [
            'MODEL, PRESET = "unet", "smoke"',
            f"ROOT = {str(root)!r}",
            'NAME, OPTIONS = "models:/hokkaido-unet/1", ["--untrusted"]',
        ]
    )
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        patch.chdir(tmp_path)
        client.execute()
    made = {file.name for file in (root / "maps").rglob("*.*")}
    assert {"probability.tif", "landslides.gpkg", "quicklook.png", "spread.tif"} <= made
    assert len(find_runs(*connect(root), kind="campaign")) == 1  # it began no other
