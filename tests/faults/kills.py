"""Kills at seeded moments: the driver, a trial's worker, Ray's own processes, everything at once."""

import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from tests.faults.campaigns import Command, end_all, family, is_alive, is_called, wait_until

VICTIMS = {
    "driver": (),
    "worker": ("ray::",),
    "node": ("raylet",),
    "control store": ("gcs_server",),
    "everything": (),
}
EPOCHS = (0, 0, 1, 1)  # that may end between two kills
EARLY_S, LATE_S = 20.0, 2.0  # at most to a kill: without an epoch before it, and after an epoch
QUIET_S = 60  # for what a killed driver leaves to end by itself


@dataclass
class Tally:
    """What the kills did.

    Attributes:
        kills: How many of each kind.
        starts: How often the command was typed.
        lost: Most epochs of one trial that one kill cost.
        lost_all: Epochs that were trained again, in all.
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
            f"epoch of a trial lost by a kill, {self.lost_all} in all; {self.retrained} finished trials "
            f"trained again; {self.lingering} processes left behind"
        )


def storm(command: Command, kills: int, seed: int) -> Tally:
    """Kill a campaign's processes again and again, type its command again, and let it end.

    Args:
        command: The campaign.
        kills: How many.
        seed: Of moments and victims.
    """
    chance, tally = random.Random(seed), Tally()  # noqa: S311 - no secret
    plan = [kind for _ in range(kills) for kind in VICTIMS][:kills]
    chance.shuffle(plan)
    before: list[tuple[dict[str, dict[int, int]], set[str]]] = []
    while plan:
        driver = command.start()
        tally.starts += 1
        while plan and not _reach_moment(command, driver, chance):
            kind, everyone = plan[-1], family(driver.pid)
            victims = _choose(kind, everyone, chance)
            if not victims:
                continue
            end_all(victims)
            before.append((command.epochs(), command.over()))
            tally.kills[kind] = tally.kills.get(kind, 0) + 1
            plan.pop()
            if kind == "worker":
                continue  # the driver goes on
            tally.lingering += _clear(everyone)
            driver.wait(timeout=QUIET_S)
        if driver.poll() == 0:
            break
        driver.wait(timeout=900)
    for _ in range(3):
        tally.starts += 1
        if command.run() == 0:
            break
    _count_losses(tally, before, command.epochs())
    return tally


def _reach_moment(
    command: Command, driver: "subprocess.Popen[bytes]", chance: random.Random
) -> bool:
    """Wait until the next kill's moment; tell whether the campaign ended before it."""

    def has_ended() -> bool:
        return driver.poll() is not None

    target = chance.choice(EPOCHS)
    if target == 0:
        return wait_until(has_ended, chance.uniform(1.0, EARLY_S))
    target += _count(command)
    wait_until(lambda: has_ended() or _count(command) >= target, 60)
    return wait_until(has_ended, chance.uniform(0.0, LATE_S))


def _count(command: Command) -> int:
    return sum(map(len, command.epochs().values()))


def _choose(
    kind: str, everyone: list[psutil.Process], chance: random.Random
) -> list[psutil.Process]:
    if kind == "driver":
        return everyone[:1]
    if kind == "everything":
        return everyone
    found = [process for process in everyone if is_called(process, *VICTIMS[kind])]
    if kind == "worker":
        found = [one for one in found if "IDLE" not in " ".join(one.cmdline())]
    return [chance.choice(found)] if found else []


def _clear(everyone: list[psutil.Process]) -> int:
    """Wait for what a killed driver leaves; end what is still there after that."""
    wait_until(lambda: not any(map(is_alive, everyone)), QUIET_S)
    return end_all([process for process in everyone if is_alive(process)])


def _count_losses(
    tally: Tally,
    before: list[tuple[dict[str, dict[int, int]], set[str]]],
    final: dict[str, dict[int, int]],
) -> None:
    """Compare the epochs that were there at each kill with those of after the next start."""
    later = [epochs for epochs, _ in before[1:]] + [final]
    for (epochs, over), after in zip(before, later, strict=True):
        for key, times in epochs.items():
            again = sum(after.get(key, {}).get(epoch) != time for epoch, time in times.items())
            tally.lost_all += again
            tally.lost = max(tally.lost, again)
            tally.retrained += key in over and again > 0


def compare(calm: Command, stormy: Command) -> list[str]:
    """Say what a disturbed campaign has other than the undisturbed one; nothing, where all is well."""
    faults = []
    was, is_ = calm.states(), stormy.states()
    if was != is_:
        faults.append(f"runs: {dict(was)} undisturbed, {dict(is_)} disturbed")
    if stormy.count_gaps():
        faults.append(
            f"{stormy.count_gaps()} trials whose epochs have gaps or duplicates in MLflow"
        )
    try:
        pd.testing.assert_frame_equal(calm.table(), stormy.table())
    except AssertionError as error:
        faults.append(f"benchmark_master.csv: {error}")
    return faults


def run(root: Path, kills: int, seed: int, words: list[str]) -> tuple[Tally, list[str]]:
    """Run a campaign undisturbed and another one under kills; return the tally and what is wrong."""
    calm, stormy = Command(root / "calm", words), Command(root / "stormy", words)
    if not (calm.folder / "outcome.json").exists() and calm.run() != 0:
        return Tally(), [f"the undisturbed campaign failed:\n{calm.said()[-3000:]}"]
    tally = storm(stormy, kills, seed)
    faults = compare(calm, stormy)
    faults += [f"{tally.lost} epochs of a trial lost by one kill"] if tally.lost > 1 else []
    faults += [f"{tally.retrained} finished trials trained again"] if tally.retrained else []
    return tally, faults
