"""The example of docs/score.md: a program without this project maps the test tiles."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.score.score import score_predictions
from tuning.score.target import open_target
from tuning.score.template import write_template
from tuning.tracking.client import connect, find_runs

PAGE = Path(__file__).parents[3] / "docs" / "score.md"


def test_maps_by_rasterio_alone_have_about_the_score_of_the_same_baseline(
    root: Path, twin: Path, tmp_path: Path
) -> None:
    found = re.search(
        r"<!-- example: foreign maps -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    assert found is not None
    imported = {
        line.split()[1].partition(".")[0]
        for line in re.findall(r"^(?:import|from) .*", found[1], re.MULTILINE)
    }
    assert not imported & {"data", "models", "tuning"}
    script, folder = tmp_path / "log_ratio.py", tmp_path / "maps"
    script.write_text(found[1])
    target = open_target(root, None)
    write_template(target, folder)
    subprocess.run([sys.executable, str(script), str(twin), str(folder)], cwd=tmp_path, check=True)
    score_predictions(target, folder, "my-log-ratio", provenance="log-ratio of VV by rasterio")
    client, experiment = connect(root)
    runs = find_runs(client, experiment, kind="trial", stage="repeat")
    metrics = {run.data.tags["study"]: run.data.metrics for run in runs}
    ours, theirs = (metrics[key] for key in ("log_ratio_vv", "foreign:my-log-ratio"))
    assert theirs["test/pr_auc"] == pytest.approx(ours["test/pr_auc"], abs=0.02)
    assert theirs["best/val_pr_auc"] == pytest.approx(ours["best/val_pr_auc"], abs=0.02)
    assert theirs["test/f1_dice"] == pytest.approx(ours["test/f1_dice"], abs=0.03)
