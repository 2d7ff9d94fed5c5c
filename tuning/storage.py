"""What a campaign keeps on disk, and what it drops once a ranking is known."""

from pathlib import Path

from tuning.journal import Journal


def measure_bytes(path: Path) -> int:
    """Add up the bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def drop_checkpoints(journal: Journal) -> int:
    """Remove the checkpoints of a trial that ended and will not be used; return their bytes.

    History, scores and config stay, so that a resumed campaign still finds the trial's result.
    """
    if journal.read("end") is None:
        return 0  # it may be continued
    dropped = 0
    for file in (journal.last, journal.best):
        if file.is_file():
            dropped += file.stat().st_size
            file.unlink()
    return dropped


def format_bytes(count: float) -> str:
    """Format bytes as people read them, such as ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
