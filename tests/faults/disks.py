"""A campaign on a small file system that becomes full, and one on a machine that runs out of memory."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.faults.campaigns import FEW, Command, wait_until
from tests.faults.interrupts import check_second_is_refused, count_retrained, stop_after_an_epoch

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke", *FEW]
RUNS = 1 + 1 + 1
SIZE_MB, LEFT_BYTES = 600, 100_000
FULL = "must have .* free, but has .*Free space there"


@contextmanager
def mount_small_disk(at: Path) -> Iterator[Path]:
    """Mount a tmpfs of ``SIZE_MB``.

    Raises:
        PermissionError: If this user may not mount.
    """
    at.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(at)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(
            f"A small disk needs the right to mount, but got: {done.stderr.strip()}"
        )
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def write_ballast(disk: Path) -> Path:
    """Fill a disk except for ``LEFT_BYTES``; return the file that fills it."""
    ballast = disk / "ballast"
    with (
        suppress(OSError),
        ballast.open("wb", buffering=0) as file,
    ):  # the campaign writes at the same time
        while (rest := shutil.disk_usage(disk).free - LEFT_BYTES) > 0:
            file.write(b"\0" * min(rest, 1 << 20))
    return ballast


def check_sentence(said: str, pattern: str) -> list[str]:
    """Return the faults of a command's output: it must name its error in one line, once, and show no traceback."""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    faults = [] if len(errors) == 1 else [f"{len(errors)} errors:\n{said[-3000:]}"]
    if not any(re.search(pattern, line) for line in errors):
        faults.append(f"no error says {pattern!r}:\n{said[-3000:]}")
    if (count := said.count("Traceback (most recent call last)")) or '  File "' in said:
        faults.append(f"{count} tracebacks:\n{said[-5000:]}")
    return faults


def fill_disk(root: Path, *, interrupted: bool = False) -> tuple[str, list[str]]:
    """Fill the disk after an epoch; free it and resume the campaign.

    Args:
        root: Folder in which the disk is mounted.
        interrupted: Whether the campaign has been stopped with Ctrl-C before and is resumed when the disk becomes
            full; another process tries to resume it too.

    Raises:
        PermissionError: If this user may not mount.
    """
    with mount_small_disk(root / "disk") as disk:
        # Outside the full disk, as a terminal is.
        command = Command(disk / "mlruns", WORDS, log_file=root / "said.txt")
        before, faults = {}, []
        if interrupted:
            first = replace(command, log_file=root / "interrupted.txt")
            _, before, faults = stop_after_an_epoch(first, 1)
        known = _count(command)
        driver = command.start()
        if interrupted:
            faults += check_second_is_refused(
                replace(command, log_file=root / "second.txt"), driver
            )
        wait_until(lambda: _count(command) > known or driver.poll() is not None, 300)
        ballast, finished = write_ballast(disk), command.list_finished()
        code = driver.wait(timeout=900)
        faults += [] if code == 1 else [f"exit code {code}, expected 1"]
        said = command.read_log()
        faults += check_sentence(said, FULL)
        again = replace(command, log_file=root / "again.txt")
        full = again.run()
        faults += [] if full == 1 else [f"exit code {full} on a full disk"]
        faults += check_sentence(again.read_log(), FULL)
        ballast.unlink()
        if not finished <= command.list_finished():
            faults.append("a finished trial has lost its result")
        code = command.run()
        faults += [] if code == 0 else [f"it did not resume:\n{command.read_log()[-3000:]}"]
        trials = sum(
            count for (kind, _), count in command.count_states().items() if kind == "trial"
        )
        faults += [f"{trials} of {RUNS} runs"] if trials != RUNS else []
        faults += [f"{gaps} trials with gaps"] if (gaps := command.count_gaps()) else []
        retrained = count_retrained(command, before)
        faults += [f"{retrained} epochs of before Ctrl-C trained again"] if retrained else []
    return (
        f"{len(finished)} trials were finished when the disk was full, {trials} in the end",
        faults,
    )


def _count(command: Command) -> int:
    return sum(map(len, command.read_epoch_times().values()))


def starve_memory(root: Path) -> tuple[str, list[str]]:
    """Make Ray see too little memory, so that it kills each trial's worker; then resume with enough memory."""
    scarce = Command(
        root,
        ["--model", "unet", "--preset", "smoke"],
        variables={"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"},
    )
    code = scarce.run()
    said = scarce.read_log()
    faults = [] if code == 1 else [f"exit code {code}, expected 1"]
    if "The machine ran out of memory, and Ray killed the trial's worker." not in said:
        faults.append(f"it did not report the lack of memory:\n{said[-3000:]}")
    if "Every search trial of unet failed." not in said:
        faults.append("the study is not reported as failed")
    plenty = Command(root, scarce.words)
    code = plenty.run()
    faults += [] if code == 0 else [f"it did not resume:\n{plenty.read_log()[-3000:]}"]
    return f"exit code 1 without memory, {code} with it", faults
