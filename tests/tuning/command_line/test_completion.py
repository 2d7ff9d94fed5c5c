"""Completion is valid in a real shell, completes commands, options and names, and offers only names that exist."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from data.command import choices
from data.pack.channels import STEPS, choose_channels
from data.splits import check_splits
from data.tiles import ORBITS, Units
from data.tiles.regions import read_regions
from data.twin.regions import REGIONS
from data.twin.write_twin import VERSIONS
from models import list_models
from tuning.baselines.baselines import BASELINES
from tuning.command_line import completion
from tuning.settings.choose_models import GROUPS
from tuning.settings.presets import PRESETS
from tuning.statistics.blocks import BLOCK_TILES
from tuning.statistics.family import MARGIN
from tuning.trial.losses import LOSSES
from tuning.worlds.__main__ import command_parser

ROOT = Path(__file__).parents[3]
COMPLETE = """
source "$1"; shift
name=$(complete -p landslide | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=(landslide "$@"); COMP_CWORD=$#; COMPREPLY=()
"$name"
echo "${COMPREPLY[*]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = subprocess.run(
        [
            *(sys.executable, "-X", "importtime"),
            *("-m", "tuning.command_line", "--print-completion", "bash"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "shtab" in loaded
    assert loaded.isdisjoint({"torch", "ray", "mlflow", "numpy", "pandas", "xarray"})
    file = tmp_path_factory.mktemp("completion") / "landslide.bash"
    file.write_text(done.stdout)
    return file


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("re", {"report", "registry", "reproduce"}),
        ("run --pre", {"--preset"}),
        ("run --preset ", {"smoke", "quick", "paper"}),
        ("run --model ut", {"utae", "utae_dates"}),
        ("splits tiles --split s", {"seed42", "s12ls-ld"}),
        ("registry pr", {"promote"}),
    ],
)
def test_bash_completes_commands_options_and_names(
    script: Path, words: str, offered: set[str]
) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", str(script), *words.split(" ")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_every_command(shell: str, tmp_path: Path) -> None:
    text = completion.make_completion(shell)
    assert all(name in text for name in ("reproduce", "--preset", "unet_convlstm"))
    if program := shutil.which(shell):
        (tmp_path / "made").write_text(text)
        subprocess.run([program, "-n", str(tmp_path / "made")], check=True)


def test_offered_names_are_those_that_exist() -> None:
    offers = completion.list_offers()
    assert set(completion.BASELINES) == set(BASELINES)
    assert set(completion.list_networks()) == set(list_models())
    assert set(completion.GROUPS) == set(GROUPS)
    assert (set(offers["preset"]), set(offers["loss"])) == (set(PRESETS), set(LOSSES))
    assert set(offers["steps"]) == set(STEPS)
    for name in offers["split"]:
        check_splits(name)
    assert choose_channels(offers["channels"])
    assert set(offers["region"]) == {"all", *read_regions()}


def test_names_in_help_are_those_that_exist() -> None:
    assert choices.ORBITS == ORBITS
    assert get_args(Units) == choices.UNITS
    assert choices.DATA_VERSIONS == VERSIONS
    assert tuple(REGIONS) == choices.TWIN_REGIONS
    text = " ".join(command_parser().format_help().split())
    assert f"equivalent (default: {MARGIN})" in text
    assert f"block in tiles (default: {BLOCK_TILES})" in text
