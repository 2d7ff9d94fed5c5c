"""A disk that runs full under a campaign, on a small file system of its own; and memory that runs out."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.campaigns import Command, wait_until

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke"]
RUNS = 2 + 2 + 1
SIZE_MB, LEFT_BYTES = 600, 100_000


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """Mount a file system of ``SIZE_MB`` in memory.

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


def fill(disk: Path) -> Path:
    """Fill a disk but for ``LEFT_BYTES``; return the file that does so."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:  # others write meanwhile
        while (rest := shutil.disk_usage(disk).free - LEFT_BYTES) > 0:
            file.write(b"\0" * min(rest, 1 << 20))
    return ballast


def run_full(root: Path) -> tuple[str, list[str]]:
    """Fill the disk after the first epoch; make room and let the campaign go on."""
    with small_disk(root / "disk") as disk:
        # As a terminal does, the log takes what is said when the disk is full.
        command = Command(disk / "mlruns", WORDS, log_file=root / "said.txt")
        driver = command.start()
        wait_until(lambda: any(command.epochs().values()) or driver.poll() is not None, 300)
        ballast, over = fill(disk), command.over()
        code = driver.wait(timeout=900)
        faults = [] if code == 1 else [f"exit code {code}, where 1 was due"]
        said = command.said()
        if "must have " not in said or "Make room" not in said:
            faults.append(f"it did not say that the disk is full:\n{said[-3000:]}")
        again = Command(disk / "mlruns", WORDS, log_file=root / "again.txt")
        full = again.run()
        faults += [] if full == 1 else [f"exit code {full} on a full disk"]
        ballast.unlink()
        if not over <= command.over():
            faults.append("a finished trial has lost its result")
        code = command.run()
        faults += [] if code == 0 else [f"it did not go on:\n{command.said()[-3000:]}"]
        trials = sum(count for (kind, _), count in command.states().items() if kind == "trial")
        faults += [f"{trials} of {RUNS} runs"] if trials != RUNS else []
        faults += [f"{gaps} trials with gaps"] if (gaps := command.count_gaps()) else []
    return f"{len(over)} trials were over when the disk was full, {trials} in the end", faults


def run_out_of_memory(root: Path) -> tuple[str, list[str]]:
    """Let Ray find too little memory, so that it ends each trial's worker; then give it enough."""
    scarce = Command(
        root,
        ["--model", "unet", "--preset", "smoke"],
        variables={"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"},
    )
    code = scarce.run()
    said = scarce.said()
    faults = [] if code == 1 else [f"exit code {code}, where 1 was due"]
    if "The machine ran out of memory, and Ray killed the trial's worker." not in said:
        faults.append(f"it was not said that memory ran out:\n{said[-3000:]}")
    if "Every search trial of unet failed." not in said:
        faults.append("the study was not said to have failed")
    plenty = Command(root, scarce.words)
    code = plenty.run()
    faults += [] if code == 0 else [f"it did not go on:\n{plenty.said()[-3000:]}"]
    return f"exit code 1 without memory, {code} with it", faults
