"""Commands started a hundred times at the price of one import: a server that has imported everything forks one for each.

A forked command has its own working folder, environment, user and output, as one that a user starts; only its imports
are not repeated.
"""

import ctypes
import io
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support.started_commands import Started

ROOT = Path(__file__).parents[2]
CLONE_NEWUSER, NAMELESS = 0x1000_0000, 54321
OWN_VARIABLES = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}  # of the server
IMPORTED = (
    *("tuning.campaign.together", "tuning.settings.options", "tuning.report.write_report"),
    *("tuning.registry.register", "tuning.predict.write_map", "tuning.reproduce.load_trial"),
    *("tuning.worlds.world", "data.check.folder", "data.splits.audit_map", "data.fetch.download"),
    *("tuning.tracking.sender", "tuning.predict.summary"),
    "torch._dynamo",  # which the first optimizer step imports, and the count of operations
)


@dataclass(frozen=True)
class Call:
    """A command: its words after ``python -m``, and what it meets.

    Attributes:
        words: Module and arguments.
        folder: Working folder.
        variables: Changes of the environment; None removes a variable.
        nameless: Whether to become a user whose number has no name, and who may write only what modes allow.
        encoding: Encoding of the terminal.
        files: Limit of open files; None keeps the limit.
        silence_s: After so many seconds without output it is killed.
        out: File for its standard output; None mixes it with its errors.
    """

    words: Sequence[str]
    folder: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    nameless: bool = False
    encoding: str = "utf-8"
    files: int | None = None
    silence_s: float = 60.0
    out: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a command answered, and its longest silence in seconds."""

    code: int
    said: str
    silence: float


class Server:
    """The process that forks the commands."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, call: Call) -> Answer:
        """Run a command to its end."""
        return Answer(**self.ask({"run": asdict(call)}))

    def start(
        self, words: Sequence[str], folder: Path, variables: Mapping[str, str], log: Path
    ) -> Started:
        """Start a command in its own session, without waiting for it; its output is added to a file.

        Args:
            words: Module and arguments.
            folder: Working folder.
            variables: Its environment. Variables that only the server has are kept.
            log: File of its output.
        """
        without: dict[str, str | None] = dict.fromkeys(OWN_VARIABLES)
        call = Call(words, str(folder), without | dict(variables))
        return Started(self.ask, self.ask({"start": asdict(call), "log": str(log)})["pid"])

    def ask(self, request: dict[str, object]) -> dict[str, Any]:
        """Send a request; return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def start_server(modules: Sequence[str] = IMPORTED) -> Iterator[Server]:
    """Start a server that imports some modules; stop it at the end."""
    with subprocess.Popen(
        [sys.executable, __file__, *modules],
        cwd=ROOT,
        env={**os.environ, **OWN_VARIABLES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Server(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _become(call: Call, output: int) -> None:
    """Give this process the user, folder, variables and output of a call."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(output, number)
    if call.out is not None:
        os.dup2(os.open(call.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    for name, value in call.variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    os.chdir(call.folder)
    if not os.listdir(call.folder) and Path(call.folder).name == "gone":
        os.rmdir(call.folder)
    if call.files is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (call.files, call.files))
    if call.nameless:
        _become_nameless()
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), call.encoding, write_through=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w"), call.encoding, "backslashreplace", write_through=True
    )


def _become_nameless() -> None:
    """Enter a user namespace in which this user has a number without a name, and no rights over others' files.

    Raises:
        PermissionError: If the system allows no user namespaces.
    """
    user, libc = os.getuid(), ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER):
        raise PermissionError(ctypes.get_errno(), "no user namespaces here")
    Path("/proc/self/uid_map").write_text(f"{NAMELESS} {user} 1")


def _execute(call: Call, output: int) -> None:
    """Run a call in this process, and end it."""
    code: object = 70
    try:
        _become(call, output)
        sys.argv = [*call.words]
        runpy.run_module(call.words[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:  # noqa: BLE001 - as Python itself ends
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0)


def _serve(call: Call) -> Answer:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _execute(call, write)
    os.close(write)
    said, silence, last = b"", 0.0, time.monotonic()
    while True:
        ready = select.select([read], [], [], call.silence_s)[0]
        silence, last = max(silence, time.monotonic() - last), time.monotonic()
        if not ready:
            os.killpg(pid, signal.SIGKILL)
            break
        chunk = os.read(read, 1 << 16)
        if not chunk:
            break
        said += chunk
    os.close(read)
    status = os.waitpid(pid, 0)[1]
    return Answer(os.waitstatus_to_exitcode(status), said.decode("utf-8", "replace"), silence)


def _start(call: Call, log: str) -> int:
    """Start a call that writes into a file; return its process id."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    pid = os.fork()
    if not pid:
        _execute(call, output)
    os.close(output)
    return pid


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if "start" in request:
        return {"pid": _start(Call(**request["start"]), request["log"])}
    if "poll" in request:
        pid, status = os.waitpid(request["poll"], os.WNOHANG)
        return {"code": os.waitstatus_to_exitcode(status) if pid else None}
    return asdict(_serve(Call(**request["run"])))


def main() -> None:
    """Answer requests, one a line, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in sys.argv[1:]:
        __import__(name)
    if "mlflow" in sys.modules:  # else each command would list the packages at its first model
        from mlflow.utils.requirements_utils import _init_packages_to_modules_map

        _init_packages_to_modules_map()
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
