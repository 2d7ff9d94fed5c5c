"""Data that change behind a campaign's back: killed readers of tiles, flipped bits, changed tiles, a history cut off."""

import shutil
import signal
import time
from pathlib import Path

import netCDF4
import psutil

from data.pack import load_pack
from data.splits import survey_catalogue
from data.tiles import ORBITS, tile_path
from data.twin import make_twin
from tests.faults.campaigns import Command, is_alive, kill_all, list_processes, wait_until
from tuning.campaign.identity import INPUTS
from tuning.settings.presets import pick_tiles
from tuning.trial.entry import list_trials

BASELINE = ["--model", "log_ratio_vv", "--preset", "smoke"]  # seconds, and no Ray
KILLING_S = 2.0
TILES_PER_PART = 4


def copy_tiles(root: Path, tiles: Path | None) -> Path:
    """Return a copy of some tiles that a scenario may damage; of a few of the twin's if None."""
    if tiles is None:
        chosen = pick_tiles("blocks", TILES_PER_PART, survey_catalogue())
        tiles = make_twin(root / "twin", tile_ids=chosen, progress=False)
    for orbit in ORBITS:
        shutil.copytree(tiles / orbit, root / "tiles" / orbit)
    return root / "tiles"


def kill_readers(root: Path, tiles: Path | None = None) -> tuple[str, list[str]]:
    """Kill each process that packs tiles for two seconds, as a machine without memory does."""
    command = Command(root / "mlruns", [*BASELINE, "--data", str(copy_tiles(root, tiles))])
    driver = command.start()
    killed, until = 0, None
    while driver.poll() is None and (until is None or time.monotonic() < until):
        readers = [process for process in list_processes(driver.pid)[1:] if _is_reader(process)]
        if readers:
            killed += kill_all(readers)
            until = until or time.monotonic() + KILLING_S
        time.sleep(0.05)
    code = driver.wait(timeout=900)
    faults = [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
    faults += [] if killed else ["no reader was found to kill"]
    faults += _check_pack(command)
    return f"{killed} readers killed, exit code {code}", faults


def _is_reader(process: psutil.Process) -> bool:
    """Return whether a process was forked by the server of the readers, whose words it has."""
    try:
        words, parent = process.cmdline(), process.parent()
        return "multiprocessing.forkserver" in " ".join(words) and (
            parent is not None and parent.cmdline() == words
        )
    except psutil.Error:  # it has ended
        return False


def _check_pack(command: Command) -> list[str]:
    """Return the tiles that the campaign's pack lacks."""
    (path,) = (command.root / "packs").glob("pack-*")
    return [f"{tile} was left out: {why}" for tile, why in load_pack(path).excluded.items()]


def change_data(
    root: Path, tiles: Path | None = None, calm: Command | None = None
) -> tuple[str, list[str]]:
    """Kill a campaign, change labels and flip bits of its pack, and resume it: with its own tiles, or not at all.

    Args:
        root: Output folder.
        tiles: Tiles to copy; a few of the twin's if None.
        calm: An undisturbed campaign on the same tiles; run if None.
    """
    data = copy_tiles(root, tiles)
    words = [*BASELINE, "--data", str(data)]
    command, faults = Command(root / "mlruns", words), []
    if calm is None:
        calm = Command(root / "calm", words)
        faults += [] if calm.run() == 0 else [f"undisturbed:\n{calm.read_log()[-2000:]}"]
    driver = command.start()
    wait_until(lambda: (command.folder / INPUTS).exists() or driver.poll() is not None, 300)
    everyone = list_processes(driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=60)
    wait_until(lambda: not any(map(is_alive, everyone)), 60)

    file = min((data / ORBITS[0]).iterdir())
    tile = f"hokkaido_{file.stem.rpartition('_')[2]}"
    own = [path.read_bytes() for path in (tile_path(data, tile, orbit) for orbit in ORBITS)]
    for orbit in ORBITS:
        with netCDF4.Dataset(tile_path(data, tile, orbit), "a") as opened:
            opened["MASK"][:] = 1 - opened["MASK"][:]
    faults += _expect_refusal(command, tile, "before the end")
    kept = command.run("--resume", command.name, "--keep-pack")
    faults += [] if kept == 0 else [f"--keep-pack: {kept}:\n{command.read_log()[-2000:]}"]
    faults += _compare(calm, command, "with --keep-pack")
    faults += _expect_refusal(command, tile, "after the end")

    for orbit, content in zip(ORBITS, own, strict=True):
        tile_path(data, tile, orbit).write_bytes(content)
    (pack,) = (command.root / "packs").glob("pack-*")
    flip_bit(pack / "mask.u8", 12_345)
    shutil.rmtree(command.root / "reports")
    code = command.run()
    faults += [] if code == 0 else [f"flipped bit: {code}:\n{command.read_log()[-2000:]}"]
    if "mask are damaged" not in command.read_log():
        faults.append("the flipped bit was not reported")
    faults += _compare(calm, command, "after a flipped bit")
    return f"refused twice, then exit codes {kept} and {code}", faults


def _expect_refusal(command: Command, tile: str, when: str) -> list[str]:
    before = len(command.read_log())
    code, said = command.run(), command.read_log()[before:]
    if code == 1 and f"{tile} (changed)" in said and "--keep-pack" in said:
        return []
    return [f"{when}: exit code {code} with changed labels:\n{said[-2000:]}"]


def _compare(calm: Command, command: Command, when: str) -> list[str]:
    same = calm.read_table().equals(command.read_table())
    return [] if same else [f"the table differs {when}"]


def flip_bit(file: Path, place: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))


def cut_power(root: Path) -> tuple[str, list[str]]:
    """Cut the histories of a finished campaign's trials, as a power cut does that saves its checkpoints; resume it."""
    words = ["--model", "unet", "--preset", "smoke", "--cpus-per-trial", "1"]
    command = Command(root, words)
    faults = [] if command.run() == 0 else [f"undisturbed:\n{command.read_log()[-2000:]}"]
    table = command.read_table()
    trials = list(list_trials(command.folder / "trials"))
    for number, path in enumerate(trials):
        lines = (path / "history.jsonl").read_text().splitlines(keepends=True)
        keep = lines[-1:] if number % 2 else lines[:-1]
        (path / "history.jsonl").write_text("".join(keep))
    code = command.run()
    faults += [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
    repaired = command.read_log().count("is trained again from its last sound state")
    if repaired != len(trials):
        faults.append(f"{repaired} of {len(trials)} cut histories were found")
    if not table.equals(command.read_table()):
        faults.append("the table differs")
    faults += [f"{gaps} trials with gaps"] if (gaps := command.count_gaps()) else []
    return f"{repaired} trials trained again, exit code {code}", faults
