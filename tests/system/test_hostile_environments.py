"""Every command in every hostile environment ends well or in one sentence: no traceback, and never silent for long."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.campaigns import NAME, Command
from tests.support.forked_commands import Answer, Call, Server

pytestmark = [pytest.mark.slow, pytest.mark.file_s(100)]
SILENCE_S = 180.0  # a command that hangs is silent longer; beside other tests one that works may be silent for long
NOBODY: Mapping[str, str | None] = dict.fromkeys(("HOME", "USER", "LOGNAME", "MPLCONFIGDIR"))


@pytest.fixture
def copy(calm: Command, tmp_path: Path) -> Callable[[str], Path]:
    """Copy the calm campaign's output folder."""
    assert calm.run_once() == 0, calm.read_log()
    return lambda name: calm.copy_to(tmp_path / name).root


def list_commands(root: Path, tiles: Path, out: Path) -> dict[str, list[str]]:
    """Return every command, with arguments that cost little: several of them are wrong."""
    at = ["--root", str(root)]
    campaign, pack = root / "campaigns" / NAME, next((root / "packs").glob("pack-*"))
    return {
        "run": ["tuning.run", "--model", "unet", "--preset", "nosuch", *at],
        "resume": ["tuning.run", "--resume", NAME, *at],
        "report": ["tuning.report", "--campaign", NAME, *at],
        "list": ["tuning.registry", "list", *at],
        "promote": ["tuning.registry", "promote", "unet", "99", *at],
        "predict": [
            *("tuning.predict", "--model", "models:/hokkaido-unet@nosuch"),
            *("--input", str(tiles), "--out", str(out / "map"), *at),
        ],
        "replay": ["tuning.tracking", "replay", str(campaign)],
        "reproduce": ["tuning.reproduce", "nosuch", *at],
        "train": [
            *("tuning.train", str(campaign / "campaign.json")),
            *("--pack", str(pack), "--to", str(out / "trained")),
        ],
        "worlds": ["tuning.worlds", "--worlds", "0", "--out", str(out / "worlds")],
        "check": ["data.check", str(tiles), "--workers", "1"],
        "fetch": ["data.fetch", "--to", str(out / "tiles"), "--version", "nosuch"],
        "splits": ["data.splits", str(tiles), "--split", "nosuch", "--map", str(out / "map.png")],
        "scene": [
            *("data.scene", "--bbox", "10", "50", "10.1", "49", "--event", "2018-09-05"),
            *("--source", "folder:nosuch", "--to", str(out / "scene.zarr")),
        ],
        "twin": ["data.twin", "--to", str(out / "twin"), "--tiles", "nosuch"],
    }


def check_answer(name: str, answer: Answer) -> None:
    """Check that a command ended well, or in one sentence that says ``error``."""
    said = f"{name}, exit code {answer.code}:\n{answer.said[-3000:]}"
    assert "Traceback" not in answer.said, said
    assert '  File "' not in answer.said, said
    assert answer.code in (0, 1, 2), said
    assert answer.silence < SILENCE_S, f"silent for {answer.silence:.0f} s: {said}"
    errors = [line for line in answer.said.splitlines() if line.startswith("error: ")]
    assert errors or answer.code == 0 or name == "check", (
        said
    )  # which prints a table of what is wrong


def run_all(server: Server, root: Path, tiles: Path, names: str = "", **more: Any) -> str:
    """Run commands, by default all, and check their answers; return all that they said."""
    out = Path(more.pop("out", root))
    commands = list_commands(root, tiles, out)
    said = ""
    for name in names.split() or commands:
        answer = server.run(Call(commands[name], **{"folder": str(root.parent), **more}))
        check_answer(name, answer)
        said += answer.said
    return said


def test_no_command_needs_a_name_a_home_or_a_terminal_and_paths_may_be_odd(
    commands: Server, copy: Callable[[str], Path], twin: Path
) -> None:
    variables = {**NOBODY, "RAY_ADDRESS": "", "TERM": None, "LANG": "C"}
    said = run_all(
        commands,
        copy("50 % of 'it' #1"),
        twin,
        nameless=True,
        encoding="ascii",
        variables=variables,
    )
    assert "KeyError" not in said
    assert "'\"'\"'it'\"'\"'" in said  # printed commands are quoted for a shell


def test_a_folder_that_may_only_be_read_is_read(
    commands: Server, copy: Callable[[str], Path], twin: Path, tmp_path: Path
) -> None:
    root = copy("theirs")
    for path in (root, *root.rglob("*")):
        if not path.is_symlink() and "data" not in path.parts and "packs" not in path.parts:
            path.chmod(path.stat().st_mode & 0o555)
    try:
        names = "run resume report list promote predict replay reproduce"
        run_all(commands, root, twin, names, out=tmp_path, nameless=True, variables=NOBODY)
    finally:
        for path in (root, *root.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)


def damage_database(root: Path) -> None:
    (root / "mlflow.db").write_bytes(b"no database" * 1000)


def delete_experiment(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id > 0"
        )
        database.commit()


def age_schema(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
        database.commit()


def empty_files(root: Path) -> None:
    for name in ("trial.json", "end.json", "outcome.json"):
        for file in (root / "campaigns").rglob(name):
            file.write_text("")


def age_outcome(root: Path) -> None:
    for file in (root / "campaigns").rglob("outcome.json"):
        file.write_text("{}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damage_database, "must be usable"),
        (delete_experiment, "restore"),
        (age_schema, "mlflow db upgrade"),
        (empty_files, "must be JSON"),
        (age_outcome, ""),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damaged_and_old_files_are_named(
    change: Callable[[Path], None],
    said: str,
    commands: Server,
    copy: Callable[[str], Path],
    twin: Path,
) -> None:
    root = copy("root")
    change(root)
    assert said in run_all(commands, root, twin, "resume list replay reproduce")


def test_a_path_that_no_database_can_have_is_refused(
    commands: Server, copy: Callable[[str], Path], twin: Path
) -> None:
    root = copy("why?%20")
    before = sorted(root.parent.iterdir())
    said = run_all(commands, root, twin, "run report list replay reproduce predict")
    assert "must have no '?'" in said
    assert sorted(root.parent.iterdir()) == before  # no database beside it


def test_a_cluster_that_is_gone_is_named_at_once(
    commands: Server, copy: Callable[[str], Path], twin: Path
) -> None:
    root, gone = copy("root"), {"RAY_ADDRESS": "127.0.0.1:1"}
    assert "must answer at 127.0.0.1:1" in run_all(commands, root, twin, "run", variables=gone)
    run_all(commands, root, twin, "list", variables=gone)


def test_a_working_folder_that_is_gone_and_few_open_files_end_in_sentences(
    commands: Server, copy: Callable[[str], Path], twin: Path, tmp_path: Path
) -> None:
    root = copy("root")
    for name in ("report", "check"):
        (tmp_path / "gone").mkdir(exist_ok=True)
        run_all(commands, root, twin, name, folder=str(tmp_path / "gone"))
    run_all(commands, root, twin, "list check", files=12)


def test_links_to_nothing_are_named_as_unusable_tiles(
    commands: Server, copy: Callable[[str], Path], twin: Path, tmp_path: Path
) -> None:
    tiles = tmp_path / "tiles"
    shutil.copytree(twin, tiles, copy_function=os.link)
    file = min(tiles.rglob("*.nc"))
    file.unlink()
    file.symlink_to("/nowhere/tile.nc")
    said = run_all(commands, copy("root"), tiles, "check splits")
    assert file.name in said or "1 " in said
