"""What is made in a working folder may be read by whom the umask lets, wherever it goes."""

import os
import shutil
from pathlib import Path

from data.io.working_folder import working_folder


def test_a_copied_or_moved_working_folder_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with working_folder() as made:
            (made / "report.html").touch()
            shutil.copytree(made, tmp_path / "copied")
        with working_folder(tmp_path) as made:
            (made / "report.html").touch()
            made.rename(tmp_path / "moved")
    finally:
        os.umask(before)
    for name in ("copied", "moved"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o750
        assert (tmp_path / name / "report.html").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copied", "moved"]
