"""An output folder that cannot take a campaign is refused before anything is made."""

import os
from pathlib import Path

import pytest

from data.io.disk import describe_free_space
from tests.faults.disks import LEFT_BYTES, mount_small_disk, write_ballast
from tuning.trial.disk import check_output_folder


def test_folder_that_cannot_be_written_is_refused() -> None:
    root = Path("/sys/landslides")  # not even the superuser may write there
    with pytest.raises(OSError, match=r"must be writable, but /sys/landslides is not: .*--root"):
        check_output_folder(root)


def test_folder_on_a_full_disk_is_refused(tmp_path: Path) -> None:
    try:
        with mount_small_disk(tmp_path / "disk") as disk:
            check_output_folder(disk)
            write_ballast(disk)
            with pytest.raises(
                OSError, match=r"must have 209\.7 MB free, but has .*Free space there"
            ):
                check_output_folder(disk / "mlruns")
            assert describe_free_space(disk).count(" kB") == 1
            assert LEFT_BYTES > 0
    except PermissionError as error:
        pytest.skip(str(error))


def test_folder_is_left_as_it_was(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "new" / "root")
    assert os.listdir(tmp_path / "new" / "root") == []
