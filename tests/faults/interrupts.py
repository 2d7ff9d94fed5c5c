"""Ctrl-C once and twice, and two processes that run the same campaign, or share an output folder."""

import os
import signal
import time
from pathlib import Path

from tests.faults.campaigns import FEW, Command, Process, wait_until
from tuning.settings.lock import is_running

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke", *FEW]
RUNS = 1 + 1 + 1


Epochs = dict[str, dict[int, int]]  # end times by trial and epoch, as of Command.read_epoch_times


def interrupt(
    root: Path, times: int, number: signal.Signals = signal.SIGINT, *, second: bool = False
) -> tuple[str, list[str]]:
    """Interrupt a campaign after an epoch, once or twice; then resume it.

    SIGINT goes to the whole process group, as from a terminal. With *second*, another process tries to resume the
    campaign while it runs.
    """
    command = Command(root, WORDS)
    took, before, faults = stop_after_an_epoch(command, times, number)
    again = command.start()
    if second:
        faults += check_second_is_refused(command, again)
    if again.wait(timeout=900) != 0:
        faults.append(f"it did not resume:\n{command.read_log()[-2000:]}")
    retrained = count_retrained(command, before)
    faults += [f"{retrained} epochs trained again"] if retrained > times - 1 else []
    trials = sum(count for (kind, _), count in command.count_states().items() if kind == "trial")
    faults += [f"{trials} of {RUNS} runs"] if trials != RUNS else []
    return f"ended {took:.1f} s after it, {retrained} epochs trained again", faults


def stop_after_an_epoch(
    command: Command, times: int, number: signal.Signals = signal.SIGINT
) -> tuple[float, Epochs, list[str]]:
    """Start a campaign and interrupt it; return the seconds until it ended, its epochs, and the faults."""
    driver = command.start()
    wait_until(lambda: any(command.read_epoch_times().values()) or driver.poll() is not None, 300)
    send = (
        os.killpg if number == signal.SIGINT else os.kill
    )  # SIGTERM to the group would end Ray itself
    began = time.monotonic()
    send(driver.pid, number)
    soft = wait_until(lambda: "ends after its epoch" in command.read_log(), 30)
    if times == 2:
        send(driver.pid, number)
    code = driver.wait(timeout=120)
    took, before = time.monotonic() - began, command.read_epoch_times()
    faults = (
        [] if code == 130 else [f"exit code {code}, expected 130:\n{command.read_log()[-2000:]}"]
    )
    if not soft:
        faults.append("it did not report that trials end after their epoch")
    if f"--resume {command.name} --root {command.root}" not in command.read_log():
        faults.append("it did not print the command that resumes it")
    states = command.count_states()
    if any(status == "RUNNING" for _, status in states):
        faults.append(f"a run is still RUNNING: {dict(states)}")
    if states[("campaign", "KILLED")] != 1:
        faults.append(f"the campaign is not KILLED: {dict(states)}")
    return took, before, faults


def count_retrained(command: Command, before: Epochs) -> int:
    """Count the epochs that were trained once more, or are lost."""
    after = command.read_epoch_times()
    return sum(
        after.get(key, {}).get(epoch) != time_ms
        for key, times_ms in before.items()
        for epoch, time_ms in times_ms.items()
    )


def check_second_is_refused(command: Command, driver: Process) -> list[str]:
    """Try to resume a campaign as soon as its process runs it; return the faults."""
    wait_until(lambda: is_running(command.folder) or driver.poll() is not None, 120)
    refused = command.run()
    faults = [] if refused == 1 else [f"exit code {refused} of the second, expected 1"]
    if f"is being run by process {driver.pid} on " not in command.read_log():
        faults.append(
            f"the second process was not told which process runs the campaign:\n{command.read_log()[-2000:]}"
        )
    return faults


def resume_twice(root: Path) -> tuple[str, list[str]]:
    """Resume a running campaign in a second process: it is refused, and the first one continues."""
    command = Command(root, WORDS)
    driver = command.start()
    wait_until(lambda: (command.folder / "trials").exists() or driver.poll() is not None, 300)
    faults = check_second_is_refused(command, driver)
    code = driver.wait(timeout=900)
    faults += [] if code == 0 else [f"exit code {code} of the first"]
    return f"second refused, first ended with {code}", faults


def run_two_campaigns(root: Path) -> tuple[str, list[str]]:
    """Run two new campaigns in parallel in one folder and database: neither changes the other's runs."""
    commands = [Command(root, WORDS, name=name) for name in ("left", "right")]
    drivers = [command.start() for command in commands]
    codes = [driver.wait(timeout=900) for driver in drivers]
    faults = [] if codes == [0, 0] else [f"exit codes {codes}:\n{commands[0].read_log()[-3000:]}"]
    for command in commands:
        trials = sum(
            count for (kind, _), count in command.count_states().items() if kind == "trial"
        )
        faults += [f"{command.name}: {trials} of {RUNS} runs"] if trials != RUNS else []
    if codes == [0, 0] and not commands[0].read_table().equals(commands[1].read_table()):
        faults.append("their tables differ")
    return f"two campaigns ended with {codes}", faults
