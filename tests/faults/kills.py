"""Kills at random times with a seed: the driver, a trial's worker, Ray's processes, everything at once."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from tests.faults.campaigns import (
    Command,
    Process,
    has_name,
    is_alive,
    kill_all,
    list_processes,
    wait_until,
)

VICTIMS = {
    "driver": (),
    "worker": ("ray::",),
    "node": ("raylet",),
    "control store": ("gcs_server",),
    "everything": (),
}
EPOCHS = (0, 0, 1, 1)  # epochs between two kills
EARLY_S, LATE_S = 20.0, 2.0  # longest wait for a kill: before any epoch, and after an epoch
QUIET_S = 60  # in which a killed driver's other processes must end


@dataclass
class KillCounts:
    """The number of kills and their effects.

    Attributes:
        kills: Number by kind.
        starts: How often the command was started.
        lost: The most epochs of one trial that one kill lost.
        lost_all: Epochs that were trained again, in total.
        retrained: Finished trials that were trained again.
        lingering: Processes that had not ended a minute after their driver.
    """

    kills: dict[str, int] = field(default_factory=dict)
    starts: int = 0
    lost: int = 0
    lost_all: int = 0
    retrained: int = 0
    lingering: int = 0

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kills.items())
        return (
            f"{sum(self.kills.values())} kills ({kinds}) over {self.starts} starts: at most {self.lost} "
            f"epoch of a trial lost by a kill, {self.lost_all} in total; {self.retrained} finished trials "
            f"trained again; {self.lingering} processes left behind"
        )


def kill_repeatedly(command: Command, kills: int, seed: int) -> KillCounts:
    """Kill a campaign's processes and restart its command repeatedly, then let it finish.

    Args:
        command: The campaign.
        kills: Number of kills.
        seed: Random seed of their times and victims.
    """
    chance, counts, code = random.Random(seed), KillCounts(), -1  # noqa: S311 - no secret
    plan = [kind for _ in range(kills) for kind in VICTIMS][:kills]
    chance.shuffle(plan)
    before: list[tuple[dict[str, dict[int, int]], set[str]]] = []
    while plan:
        driver = command.start()
        counts.starts += 1
        while plan and not _reach_moment(command, driver, chance):
            kind, everyone = plan[-1], list_processes(driver.pid)
            victims = _choose(kind, everyone, chance)
            if not victims:
                continue
            kill_all(victims)
            before.append((command.read_epoch_times(), command.list_finished()))
            counts.kills[kind] = counts.kills.get(kind, 0) + 1
            plan.pop()
            if kind == "worker":
                continue  # the driver goes on
            counts.lingering += _kill_remaining(everyone)
            driver.wait(timeout=QUIET_S)
        if (code := driver.wait(timeout=900)) == 0:
            break
    for _ in range(0 if code == 0 else 3):
        counts.starts += 1
        if command.run() == 0:
            break
    _count_losses(counts, before, command.read_epoch_times())
    return counts


def _reach_moment(command: Command, driver: Process, chance: random.Random) -> bool:
    """Wait until the time of the next kill; return whether the campaign ended before."""

    def has_ended() -> bool:
        return driver.poll() is not None

    target = chance.choice(EPOCHS)
    if target == 0:
        return wait_until(has_ended, chance.uniform(1.0, EARLY_S))
    target += _count(command)
    wait_until(lambda: has_ended() or _count(command) >= target, 60)
    return wait_until(has_ended, chance.uniform(0.0, LATE_S))


def _count(command: Command) -> int:
    return sum(map(len, command.read_epoch_times().values()))


def _choose(
    kind: str, everyone: list[psutil.Process], chance: random.Random
) -> list[psutil.Process]:
    if kind == "driver":
        return everyone[:1]
    if kind == "everything":
        return everyone
    found = [process for process in everyone if has_name(process, *VICTIMS[kind])]
    if kind == "worker":
        found = [one for one in found if "IDLE" not in " ".join(one.cmdline())]
    return [chance.choice(found)] if found else []


def _kill_remaining(everyone: list[psutil.Process]) -> int:
    """Wait for a killed driver's processes to end; kill the rest, and return their number."""
    wait_until(lambda: not any(map(is_alive, everyone)), QUIET_S)
    return kill_all([process for process in everyone if is_alive(process)])


def _count_losses(
    counts: KillCounts,
    before: list[tuple[dict[str, dict[int, int]], set[str]]],
    final: dict[str, dict[int, int]],
) -> None:
    """Compare the epochs at each kill with those after the next start."""
    later = [epochs for epochs, _ in before[1:]] + [final]
    for (epochs, over), after in zip(before, later, strict=True):
        for key, times in epochs.items():
            again = sum(after.get(key, {}).get(epoch) != time for epoch, time in times.items())
            counts.lost_all += again
            counts.lost = max(counts.lost, again)
            counts.retrained += key in over and again > 0


def compare_campaigns(calm: Command, stormy: Command) -> list[str]:
    """Return the differences between a disturbed campaign and an undisturbed one."""
    faults = []
    was, is_ = calm.count_states(), stormy.count_states()
    if was != is_:
        faults.append(f"runs: {dict(was)} undisturbed, {dict(is_)} disturbed")
    if stormy.count_gaps():
        faults.append(
            f"{stormy.count_gaps()} trials whose epochs have gaps or duplicates in MLflow"
        )
    try:
        pd.testing.assert_frame_equal(calm.read_table(), stormy.read_table())
    except AssertionError as error:
        faults.append(f"benchmark_master.csv: {error}")
    return faults


def run(calm: Command, root: Path, kills: int, seed: int) -> tuple[KillCounts, list[str]]:
    """Run a campaign with kills, and compare it with the undisturbed one; return the counts and the faults.

    Args:
        calm: The undisturbed campaign; run unless it has ended.
        root: Output folder of the disturbed one.
        kills: Number of kills.
        seed: Random seed of their times and victims.
    """
    stormy = Command(root, calm.words)
    if calm.run_once() != 0:
        return KillCounts(), [f"the undisturbed campaign failed:\n{calm.read_log()[-3000:]}"]
    counts = kill_repeatedly(stormy, kills, seed)
    faults = compare_campaigns(calm, stormy)
    faults += [f"{counts.lost} epochs of a trial lost by one kill"] if counts.lost > 1 else []
    faults += [f"{counts.retrained} finished trials trained again"] if counts.retrained else []
    return counts, faults
