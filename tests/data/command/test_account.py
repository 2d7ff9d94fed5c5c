"""Commands run under a user without a name or a home."""

import getpass
import os
import stat
from pathlib import Path

import pytest

from data.command.account import prepare_account, private_folder, user_name

VARIABLES = ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "MPLCONFIGDIR")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without a name, and an own folder for temporary files."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # put back at the end, whatever the test sets
        monkeypatch.delenv(name)

    def refuse(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_user_without_a_name_is_its_number() -> None:
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    assert user_name() == str(os.getuid())
    prepare_account()
    assert getpass.getuser() == str(os.getuid())  # libraries ask this


def test_a_missing_home_is_replaced_by_a_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent/home")
    prepare_account()
    assert os.environ["HOME"] == str(private_folder())
    assert os.environ["MPLCONFIGDIR"].startswith(str(private_folder()))


def test_a_home_that_can_be_written_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    prepare_account()
    assert os.environ["HOME"] == str(tmp_path)
    assert "MPLCONFIGDIR" not in os.environ


def test_the_private_folder_is_no_other_user_s(tmp_path: Path) -> None:
    folder = private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    assert stat.S_IMODE(private_folder().stat().st_mode) == 0o700
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match=r"must be this user's, but .* is not. Delete it"):
        private_folder()
