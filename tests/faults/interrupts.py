"""Ctrl-C once and twice, and the same campaign continued by two at once."""

import os
import signal
import time
from pathlib import Path

from tests.faults.campaigns import Command, wait_until
from tuning.settings.lock import is_running

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke"]
RUNS = 2 + 2 + 1


def interrupt(
    root: Path, times: int, number: signal.Signals = signal.SIGINT, *, second: bool = False
) -> tuple[str, list[str]]:
    """Interrupt a campaign after an epoch, once or twice; then let it go on.

    The signal goes to the whole foreground group, as a terminal's does. Where asked for, a *second* process
    tries to continue the campaign while it goes on.
    """
    command = Command(root, WORDS)
    driver = command.start()
    wait_until(lambda: any(command.epochs().values()) or driver.poll() is not None, 300)
    send = (
        os.killpg if number == signal.SIGINT else os.kill
    )  # a SIGTERM to all would end Ray itself
    began = time.monotonic()
    send(driver.pid, number)
    soft = wait_until(lambda: "ends after its epoch" in command.said(), 30)
    if times == 2:
        send(driver.pid, number)
    code = driver.wait(timeout=120)
    took, before = time.monotonic() - began, command.epochs()
    faults = (
        [] if code == 130 else [f"exit code {code}, where 130 was due:\n{command.said()[-2000:]}"]
    )
    if not soft:
        faults.append("it did not say that trials end after their epoch")
    if f"--resume {command.name} --root {root}" not in command.said():
        faults.append("it did not say how to go on")
    states = command.states()
    if any(status == "RUNNING" for _, status in states):
        faults.append(f"a run is open: {dict(states)}")
    if states[("campaign", "KILLED")] != 1:
        faults.append(f"the campaign is not KILLED: {dict(states)}")
    again = command.start()
    if second:
        wait_until(lambda: is_running(command.folder) or again.poll() is not None, 120)
        faults += refuse_second(command, again.pid)
    if again.wait(timeout=900) != 0:
        faults.append(f"it did not go on:\n{command.said()[-2000:]}")
    after = command.epochs()
    retrained = sum(
        after[key].get(epoch) != time_ms
        for key, times_ms in before.items()
        for epoch, time_ms in times_ms.items()
    )
    faults += [f"{retrained} epochs trained again"] if retrained > times - 1 else []
    trials = sum(count for (kind, _), count in command.states().items() if kind == "trial")
    faults += [f"{trials} of {RUNS} runs"] if trials != RUNS else []
    return f"ended {took:.1f} s after it, {retrained} epochs trained again", faults


def refuse_second(command: Command, driver: int) -> list[str]:
    """Try to continue a campaign that runs; say what is wrong."""
    refused = command.run()
    faults = [] if refused == 1 else [f"exit code {refused} of the second, where 1 was due"]
    if f"is being run by process {driver} on " not in command.said():
        faults.append(f"the second was not told by whom it is run:\n{command.said()[-2000:]}")
    return faults


def continue_twice(root: Path) -> tuple[str, list[str]]:
    """Continue a running campaign by a second process: refused, and the first one goes on."""
    command = Command(root, WORDS)
    driver = command.start()
    wait_until(lambda: (command.folder / "trials").exists() or driver.poll() is not None, 300)
    faults = refuse_second(command, driver.pid)
    code = driver.wait(timeout=900)
    faults += [] if code == 0 else [f"exit code {code} of the first"]
    return f"second refused, first ended with {code}", faults


def run_beside(root: Path) -> tuple[str, list[str]]:
    """Run two new campaigns at once in one folder, on one database: neither touches the other's runs."""
    commands = [Command(root, WORDS, name=name) for name in ("left", "right")]
    drivers = [command.start() for command in commands]
    codes = [driver.wait(timeout=900) for driver in drivers]
    faults = [] if codes == [0, 0] else [f"exit codes {codes}:\n{commands[0].said()[-3000:]}"]
    for command in commands:
        trials = sum(count for (kind, _), count in command.states().items() if kind == "trial")
        faults += [f"{command.name}: {trials} of {RUNS} runs"] if trials != RUNS else []
    if codes == [0, 0] and not commands[0].table().equals(commands[1].table()):
        faults.append("their tables differ")
    return f"two campaigns ended with {codes}", faults
