"""The account that a command runs under: a user without a name, and a home folder that is missing or cannot be written.

Containers often run under a number that no file knows, with a home folder of somebody else or none. Several libraries
end at import or when they start there.
"""

import getpass
import os
import tempfile
from pathlib import Path

# Folders below the home folder in which libraries write at import, by the variable that moves them.
_CACHES = {"MPLCONFIGDIR": "matplotlib"}


def user_name() -> str:
    """Return the user's name, or its number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # KeyError before Python 3.13
        return str(os.getuid())


def private_folder() -> Path:
    """Return this user's own folder for temporary files, which no other user can read; created if it is missing.

    Raises:
        OSError: If it cannot be created, or is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"landslide-benchmark-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if folder.is_symlink() or state.st_uid != os.getuid():
        raise PermissionError(
            f"The folder for temporary files must be this user's, but {folder} is not. Delete it, or choose another "
            "place with TMPDIR=FOLDER."
        )
    folder.chmod(0o700)
    return folder


def prepare_account() -> None:
    """Set the variables that libraries need where the user has no name or no home folder; keep what is set.

    Child processes, such as those of Ray, inherit them.
    """
    os.environ.setdefault("LOGNAME", user_name())
    home = Path(os.path.expanduser("~"))
    if home.is_absolute() and os.access(home, os.W_OK | os.X_OK):
        return
    try:
        folder = private_folder()
    except OSError:
        return  # the command says so if it needs the folder
    if not home.is_dir() or not os.access(home, os.R_OK | os.X_OK):
        os.environ["HOME"] = str(folder)
    for variable, name in _CACHES.items():
        os.environ.setdefault(variable, str(folder / name))
