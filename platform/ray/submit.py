"""Run ``python -m tuning.run`` on the head of a Ray cluster, in the project that ``ray up`` copied there.

``ray submit CLUSTER.yaml platform/ray/submit.py -- [--code HASH] [--nodes N] ARGUMENTS OF tuning.run``

Ray copies this one file to the head's home folder and runs it there; ``python platform/ray/submit.py`` as the
command of ``ray job submit --working-dir .`` runs the code uploaded with the job instead. It needs nothing but the
standard library until it has found the project and an environment with Ray.

- The project is ``LANDSLIDE_PROJECT``, else the one that this file lies in, else ``~/landslide-benchmark``.
- ``--code HASH`` refuses to run other code than that of ``python platform/ray/submit.py --fingerprint`` at home.
- ``--nodes N`` waits until N nodes, the head among them, have joined; ``tuning.run`` then compares their code.
- ``~/landslide.env`` (mode 0600) holds the tracker's ``MLFLOW_...=...`` lines: for this command, not for the trials.
"""

import argparse
import hashlib
import importlib.util
import os
import shlex
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any

HASHED = ("data", "models", "tuning", "pyproject.toml", "constraints.txt")
WAIT_S = 1800  # installing on a new node takes minutes
JOB = "_ray_pkg_"  # in the name of the folder that Ray unpacks a job's files into, and deletes
say = partial(print, "submit:", file=sys.stderr, flush=True)


class SubmitError(Exception):
    """An error that the user must correct, as its message explains."""


def find_project() -> Path:
    """Return the project's folder.

    Raises:
        SubmitError: If there is none.
    """
    named, own = os.environ.get("LANDSLIDE_PROJECT"), Path(__file__).resolve().parent.parent.parent
    tried = [Path(named).expanduser()] if named else [own, Path.home() / "landslide-benchmark"]
    for folder in tried:
        if (folder / "tuning" / "run.py").is_file() and (folder / "data").is_dir():
            return folder.resolve()
    raise SubmitError(
        f"The project must lie in {tried[-1]}, but there is no tuning/run.py in it. Bring it there with "
        "`ray up CLUSTER.yaml`, or name its folder in LANDSLIDE_PROJECT."
    )


def take_fingerprint(project: Path) -> str:
    """Hash the names and contents of the code and of its installation files."""
    digest = hashlib.sha256()
    for file in _list_files(project):
        digest.update(f"{file.relative_to(project).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _list_files(project: Path) -> list[Path]:
    """List the hashed files: all files that are mounted, without compiled Python."""
    found = []
    for name in HASHED:
        path = project / name
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    kept = [file for file in found if "__pycache__" not in file.parts and file.suffix != ".pyc"]
    return sorted(kept, key=lambda file: file.relative_to(project).as_posix())


def check_code(project: Path, expected: str | None) -> None:
    """Print the hash and time of the code.

    Raises:
        SubmitError: If it is not the code expected.
    """
    remedy = (
        "it is stale. Bring yours to every node with `ray up CLUSTER.yaml`, which restarts Ray. Files deleted at "
        f"home stay there: rm -r {project}/{{data,models,tuning}} on each node before that."
    )
    found = take_fingerprint(project)
    newest = max(_list_files(project), key=lambda file: file.stat().st_mtime)
    edited = time.strftime("%Y-%m-%d %H:%M", time.localtime(newest.stat().st_mtime))
    what = f"{found}, last edited {edited} ({newest.relative_to(project)})"
    if expected is not None and found != expected:
        raise SubmitError(f"The code must be {expected}, but {project} here is {what}: {remedy}")
    mounted = project / "platform" / "ray" / "submit.py"
    if mounted.is_file() and mounted.read_bytes() != Path(__file__).read_bytes():
        raise SubmitError(f"{mounted} is not the submit.py that you sent: {remedy}")
    say(f"Code {what}, in {project}.")
    if expected is None and JOB not in str(project):
        say(
            "warning: not compared with yours, and `ray submit` brings no changes. To compare: "
            "-- --code $(python platform/ray/submit.py --fingerprint) ..."
        )


def check_installed(project: Path) -> None:
    """Compare the versions that the environment was made from with the project's.

    Raises:
        SubmitError: If they differ.
    """
    made_from, wanted = Path.home() / "landslide-installed.txt", project / "constraints.txt"
    if made_from.is_file() and made_from.read_bytes() != wanted.read_bytes():
        raise SubmitError(
            f"The environment must hold the versions of {wanted}, but was made from those of {made_from}. "
            "Install them with `ray up CLUSTER.yaml`."
        )


def find_python() -> str:
    """Return an interpreter that has Ray: this one, or that of ``~/landslide-venv``.

    Raises:
        SubmitError: If there is none.
    """
    installed = Path.home() / "landslide-venv" / "bin" / "python"
    if importlib.util.find_spec("ray") is not None:
        return sys.executable
    if installed.is_file():
        return str(installed)
    raise SubmitError(
        f"Python must have Ray, but {sys.executable} has not, and there is no {installed}. "
        "Install it with `ray up CLUSTER.yaml`."
    )


def make_environment(file: Path) -> dict[str, str]:
    """Return the command's environment: this one, with the tracker's variables from a file.

    Raises:
        SubmitError: If others may read the file, or a line of it is not MLFLOW_NAME=VALUE.
    """
    made = dict(os.environ)
    made.setdefault("RAY_AUTH_MODE", "token")
    made.pop("OMP_NUM_THREADS", None)  # Ray's SSH sets it to 1
    if not file.is_file():
        return made
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        raise SubmitError(f"{file} must have mode 600, but has {mode:o}: chmod 600 {file}")
    for number, line in enumerate(file.read_text().splitlines(), 1):
        name, equals, value = line.strip().partition("=")
        if not line.strip() or name.startswith("#"):
            continue
        if not equals or not name.startswith("MLFLOW_"):
            raise SubmitError(
                f"Line {number} of {file} must read MLFLOW_NAME=VALUE, but does not: put it right."
            )
        made.setdefault(name, value)
    return made


def check_root(project: Path, arguments: list[str]) -> None:
    """Raise if the output folder is inside a job's working folder.

    Raises:
        SubmitError: If results would be written there.
    """
    if JOB not in str(project) or {"-h", "--help"} & set(arguments):
        return
    given = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    given.add_argument("--root", default="")
    root = given.parse_known_args(arguments)[0].root
    if not root.startswith("/"):
        raise SubmitError(
            f"A job needs --root with an absolute path, but got {root or 'none'}: Ray deletes the job's own folder. "
            "Name a folder that every node sees."
        )


def wait_for_nodes(nodes: int) -> None:
    """Wait until this number of nodes has joined.

    Raises:
        SubmitError: If they do not in half an hour.
    """
    import ray

    ray.init("auto", log_to_driver=False, logging_level="ERROR")
    _wait_for(ray, nodes)
    ray.shutdown()


def _wait_for(ray: Any, nodes: int) -> None:
    deadline, last = time.monotonic() + WAIT_S, -1
    while len(there := [node for node in ray.nodes() if node["Alive"]]) < nodes:
        if time.monotonic() > deadline:
            raise SubmitError(
                f"--nodes {nodes} must be there within {WAIT_S // 60} minutes, but {len(there)} are. Look at: "
                "ray exec CLUSTER.yaml 'tail -n 50 /tmp/ray/session_latest/logs/monitor.*'"
            )
        if len(there) != last:
            say(f"{len(there)} of {nodes} nodes are there; waiting.")
        last = len(there)
        time.sleep(2)


def run(words: list[str]) -> None:
    """Replace this process by ``tuning.run``, which then receives the signals and sets the exit code.

    Raises:
        SubmitError: If something is missing or stale.
    """
    parser = argparse.ArgumentParser("submit.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--code")
    parser.add_argument("--nodes", type=int)
    own, arguments = parser.parse_known_args(words)
    project, python = find_project(), find_python()
    environment = make_environment(Path.home() / "landslide.env")
    if python != sys.executable:
        os.execve(python, [python, __file__, *words], environment)  # noqa: S606 - found above
    check_code(project, own.code)
    check_installed(project)
    check_root(project, arguments)
    os.environ.update(environment)
    if own.nodes is not None:
        wait_for_nodes(own.nodes)
    if not any(word.split("=")[0] == "--resume" for word in arguments):  # which has its own
        arguments = ["--address", "auto", *arguments]
    say(f"python -m tuning.run {shlex.join(arguments)}")
    os.chdir(project)
    os.execve(python, [python, "-m", "tuning.run", *arguments], environment)  # noqa: S606 - itself


def main() -> int:
    """Run the command; return 2 if something is missing or stale, else do not return."""
    if sys.argv[1:] == ["--fingerprint"]:
        print(take_fingerprint(find_project()))
        return 0
    try:
        run(sys.argv[1:])
    except (SubmitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - named, and its traceback kept
        handle, file = tempfile.mkstemp(".txt", "submit-error-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
        print(f"error: {type(error).__name__}: {error} (traceback: {file})", file=sys.stderr)
        return 1
    return 2


if __name__ == "__main__":
    sys.exit(main())
