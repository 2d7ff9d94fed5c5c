"""Every error of a command in one sentence with its remedy: the system's, those of libraries, and unknown ones.

An error that this project raises is its own sentence. One of a library is explained by the function that is registered
for the library with :func:`explains`; the module that uses the library registers it. Of any other error the class, the
text and the file with its traceback are named, so that nothing is hidden and no traceback fills the terminal.
"""

import dis
import errno
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from data.command.account import private_folder
from data.io.disk import OPTION, describe_free_space, is_full, says_full
from data.io.errors import format_error, hide_password

HOME = Path(__file__).parents[2]
CODE = tuple(str(HOME / name) + os.sep for name in ("data", "models", "tuning", "platform"))
_RAISE = dis.opmap["RAISE_VARARGS"]
_OTHER = "Correct what it names, then run the command again."
_REMEDIES = {
    errno.EACCES: "Ask its owner for the permission, or choose another place.",
    errno.EPERM: "Ask its owner for the permission, or choose another place.",
    errno.EROFS: "Choose a place that can be written: this disk may only be read.",
    errno.ENOENT: "Check its name, or make it first.",
    errno.EEXIST: "Something of that name is there already: rename or delete it, or choose another name.",
    errno.ENOTDIR: "A part of this path is a file where a folder should be: rename that file, or choose another path.",
    errno.EISDIR: "It is a folder where a file should be: name a file in it, or choose another name.",
    errno.ENOTEMPTY: "The folder holds something: empty it, or choose another one.",
    errno.ELOOP: "Its symbolic links lead in a circle: correct them, or name the file itself.",
    errno.EXDEV: "Both must be on one disk: choose a place on the disk of the other.",
    errno.EMFILE: "Allow more open files: ulimit -n 4096",
    errno.ENFILE: "Close other programs of this machine.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EIO: "The disk failed: look into the system's log, and use another disk.",
    errno.ENOMEM: "Close other programs, or use a machine with more memory.",
    errno.EAGAIN: "Allow more processes: ulimit -u 4096",
    errno.EADDRINUSE: "Stop the program that uses it, or choose another port.",
}
_SIGNS = {  # of errors that libraries raise with classes of their own
    os.strerror(errno.EMFILE): _REMEDIES[errno.EMFILE],
    os.strerror(errno.EROFS): _REMEDIES[errno.EROFS],
    "can't start new thread": _REMEDIES[errno.EAGAIN],
}
Explain = Callable[[BaseException], str | None]
_by_package: dict[str, Explain] = {}
_folders: list[tuple[Path, str]] = []  # that the command writes to, and the options that name them


class CommandError(Exception):
    """A sentence for the user, and the command's exit code.

    Attributes:
        code: Exit code; 2 stands for a bad argument.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def explains(*packages: str) -> Callable[[Explain], Explain]:
    """Register a function that explains the errors of some packages; it returns None for an error that it does not know."""

    def register(explain: Explain) -> Explain:
        _by_package.update(dict.fromkeys(packages, explain))
        return explain

    return register


def writes_to(*folders: Path | None, option: str = OPTION) -> None:
    """Note folders that this command writes to, for the message of a full disk whose error names no file.

    Args:
        *folders: Folders; None is left out.
        option: The option with which the user chooses another.
    """
    _folders[:0] = [(folder, option) for folder in folders if folder is not None]


def explain_error(error: BaseException) -> str:
    """Return an error as one sentence with its remedy; write the traceback of an unknown one to a file."""
    chain = list(_walk(error))
    if full := next(filter(says_full, chain), None):
        return _explain_full_disk(full)
    if is_own(error):
        return hide_password(str(error)) or type(error).__name__
    for link in chain:
        text = _explain_one(link)
        if text:
            return text
    return f"{type(error).__name__}: {format_error(error)} {_locate(error)}"


def _walk(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        cause = getattr(one, "cause", None)  # Ray's
        original = getattr(one, "orig", None)  # SQLAlchemy's
        todo += [x for x in (cause, original) if isinstance(x, BaseException)]
        todo += [one.__cause__, None if one.__suppress_context__ else one.__context__]


def is_own(error: BaseException) -> bool:
    """Return whether this project raised an error itself, so that its text is a sentence for the user."""
    if isinstance(error, CommandError):
        return True
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return True  # made here, never raised
    code = last.tb_frame.f_code
    if code.co_filename.startswith(CODE):
        return code.co_code[last.tb_lasti] == _RAISE
    # Raised in a worker process: its traceback is text, whose last line of code is ours and raises.
    lines = [line.strip() for line in str(error.__cause__ or "").splitlines()]
    places = [i for i, line in enumerate(lines) if line.startswith('File "')]
    return bool(places) and lines[places[-1]][6:].startswith(CODE)


def _explain_full_disk(error: BaseException) -> str:
    option = _folders[0][1] if _folders else OPTION
    name = getattr(error, "filename", None)
    named = [(Path(os.fsdecode(name)), option)] if name else []
    for folder, chosen in (*named, *_folders, (Path(tempfile.gettempdir()), "TMPDIR=FOLDER")):
        if is_full(folder):
            return describe_free_space(folder, chosen)
    if type(error).__name__ == "FullDiskError":
        return str(error)
    return describe_free_space(*(*named, *_folders, (Path.cwd(), option))[0])


def _explain_one(error: BaseException) -> str | None:
    """Return the sentence for an error of the system or of a library that is known, else None."""
    for kind in type(error).__mro__:
        if explain := _by_package.get(kind.__module__.partition(".")[0]):
            return explain(error)
    text = format_error(error)
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        names = [_show(one) for one in (error.filename, error.filename2) if one is not None]
        place = f": {' and '.join(names)}" if names else ""
        return f"{error.strerror}{place}. {_REMEDIES.get(error.errno, _OTHER)}"
    if remedy := next((other for sign, other in _SIGNS.items() if sign in text), None):
        return f"{text}. {remedy}"
    if isinstance(error, MemoryError):
        return f"The machine has too little free memory ({text}). {_REMEDIES[errno.ENOMEM]}"
    if isinstance(error, ImportError):
        return (
            f"A package cannot be imported: {text} {_locate(error)} Install what the benchmark needs: python -m pip "
            "install -c constraints.txt -e ."
        )
    if isinstance(error, UnicodeDecodeError):
        return f"A file must be UTF-8 text, but got: {text} {_locate(error)}"
    return None


def _show(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, str | bytes) else str(name)


def _locate(error: BaseException) -> str:
    """Return where the traceback was written; where it was raised if no file can be written."""
    file = save_traceback(error)
    if file is not None:
        return f"(traceback: {file})"
    frames = traceback.extract_tb(error.__traceback__)
    return f"(in {frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def save_traceback(error: BaseException) -> Path | None:
    """Write an error's traceback to a file that only this user can read; return None if that fails."""
    text = hide_password("".join(traceback.format_exception(error)))
    try:
        name = time.strftime(f"error-%Y%m%d-%H%M%S-{os.getpid()}-")
        handle, file = tempfile.mkstemp(".txt", name, private_folder())
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError:
        return None
    return Path(file)
