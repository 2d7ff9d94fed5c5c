"""A mistyped output folder is refused with the nearest one, and nothing is made there."""

from pathlib import Path

import pytest

from tuning.matrix.__main__ import main as matrix
from tuning.registry.__main__ import main as registry
from tuning.report.__main__ import main as report
from tuning.reproduce.__main__ import main as reproduce
from tuning.run import main as run
from tuning.settings.roots import NoStoreError, find_nearest, refuse_missing, resume_command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two output folders, of which one has a database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("results/noto", "results/hokkaido", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "results" / "hokkaido" / "mlflow.db").touch()
    (tmp_path / "other" / "campaigns").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("results/hokaido", "results/hokkaido"),
        ("results/noto", "results/hokkaido"),
        ("othr", "other"),
        ("other/campaigns", "other"),
        ("results/hokkaido/reports/x", "results/hokkaido"),
    ],
)
def test_the_nearest_output_folder_is_found(home: Path, typed: str, nearest: str) -> None:
    assert find_nearest(Path(typed)) == home / nearest


def test_without_another_one_the_remedy_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, got in (("file", "is no folder"), (".", "has none"), ("x", "does not exist")):
        with pytest.raises(NoStoreError, match=rf"database mlflow\.db, but .* {got}\. ") as caught:
            refuse_missing(tmp_path / name, None)
        assert caught.value.code == 2
    assert "Run `python -m tuning.run` first" in str(caught.value)


def test_a_database_that_a_variable_names_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoStoreError, match="MLFLOW_TRACKING_URI must name a database that exists"):
        refuse_missing(tmp_path, "sqlite:////nowhere/mlflow.db")


def test_every_reading_command_refuses_a_mistyped_root_and_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(home.rglob("*"))
    at = ["--root", "results/hokaido"]
    for call, words in (
        (report, at),
        (registry, ["list", *at]),
        (reproduce, ["3f2a", *at]),
        (matrix, ["--report", "one", *at]),
        (matrix, ["--resume", "one", *at]),
        (run, ["--resume", "one", *at]),
    ):
        assert call(words) == 2, words
        said = capsys.readouterr().err
        assert "results/hokaido" in said
        assert f"--root {home}/results/hokkaido" in said
    assert sorted(home.rglob("*")) == before


def test_a_resume_command_names_the_root_unless_it_is_the_default(home: Path) -> None:
    assert resume_command(Path("mlruns"), "one") == "python -m tuning.run --resume one"
    assert resume_command(home / "a b", "one").endswith(f"--resume one --root '{home}/a b'")
