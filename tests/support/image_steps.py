"""Execute a Dockerfile step by step without a container engine, in a separate root folder.

``unshare --mount python tests/support/image_steps.py PLAN.json``: the root is this machine's, with everything written
going to memory, so paths, users and commands are those of the image, and the machine stays as it is. What the base
image brings (Debian 12, Python) is this machine's own.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # run by its path

from tests.support.dockerfiles import Instruction, Stage, fill_in, read_stages

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PIP = ("PIP_", "SSL_", "HTTP", "http", "no_proxy", "NO_PROXY")  # where this machine finds packages


@dataclass
class Root:
    """A stage's root folder, and the user, folder and environment that its instructions have set so far."""

    folder: Path
    upper: Path
    variables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    work: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)

    def run(self, command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the root folder, as the stage's user, with only the image's environment."""
        pip = {name: value for name, value in os.environ.items() if name.startswith(PIP)}
        home = "/root" if self.user == "0:0" else "/home/benchmark"
        environment = {"PATH": PATH, "HOME": home, **pip, **self.variables, **variables}
        shell = 'cd "$0" && exec "$@"'
        call = ["chroot", f"--userspec={self.user}", str(self.folder), "/bin/sh", "-c", shell]
        return subprocess.run(
            [*call, self.work, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


class Build:
    """The root folders of a Dockerfile's stages, built in their order."""

    def __init__(self, plan: dict[str, Any], folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.context = Path(plan["context"])
        self.roots: dict[str, Root] = {}
        self.steps: list[dict[str, Any]] = []

    def make(self, stage: Stage) -> Root:
        """Execute one stage.

        Raises:
            RuntimeError: If a step fails.
        """
        below = self.roots.get(stage.base)
        root = self._mount(stage.name, below)
        self.roots[stage.name] = root
        for one in stage.instructions:
            began = time.monotonic()
            getattr(self, f"_{one.name.lower()}")(root, one)
            seconds = round(time.monotonic() - began, 1)
            self.steps.append({"stage": stage.name, "step": f"{one.name} {one.text}", "s": seconds})
        return root

    def _mount(self, name: str, below: Root | None) -> Root:
        folder, upper, work = (self.folder / f"{name}-{part}" for part in ("root", "upper", "work"))
        for one in (folder, upper, work):
            one.mkdir()
        lower = f"{below.upper}:/" if below else "/"
        mount(
            "-t",
            "overlay",
            "-o",
            f"lowerdir={lower},upperdir={upper},workdir={work}",
            "overlay",
            folder,
        )
        for one in ("/proc", "/dev", "/sys"):
            mount("--rbind", one, folder / one[1:])
        for one in ("/tmp", self.plan["hide"]):
            (folder / one.lstrip("/")).mkdir(
                parents=True, exist_ok=True
            )  # the second may lie in the first
            mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", folder / one.lstrip("/"))
        lay_python(folder)
        if below is None:
            return Root(folder, upper)
        return Root(folder, upper, dict(below.variables), {}, below.work, below.user)

    def _run(self, root: Root, one: Instruction) -> None:
        done = root.run(["/bin/sh", "-c", one.text], **root.arguments)
        if done.returncode:
            raise RuntimeError(
                f"{one.text} ended in {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        if self.plan["seed"] and one.words[:3] == ["python", "-m", "venv"]:
            self._seed(root, root.folder / one.words[3].lstrip("/"))

    def _seed(self, root: Root, venv: Path) -> None:
        """Make the packages of the tests' environment available to pip in the new one."""
        inside = next(venv.glob("lib/python3.*/site-packages"))
        upper, work = self.folder / "seed-upper", self.folder / "seed-work"
        for one in (upper, work):
            one.mkdir()
        options = f"lowerdir={self.plan['seed']},upperdir={upper},workdir={work}"
        mount("-t", "overlay", "-o", options, "overlay", inside)
        pip = ["python", "-m", "pip", "uninstall", "--yes", *self.plan["fresh"]]
        done = root.run(pip)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def _copy(self, root: Root, one: Instruction) -> None:
        *sources, target = one.words
        to = root.folder / os.path.join(root.work, target).lstrip("/")
        if "from" in one.options:
            to.mkdir(parents=True)
            mount("--rbind", self.roots[one.options["from"]].folder / sources[0].lstrip("/"), to)
            return
        for source in sources:
            path = self.context / source
            if path.is_dir():  # its content goes into the target
                shutil.copytree(
                    path, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)

    def _arg(self, root: Root, one: Instruction) -> None:
        name, _, default = one.text.partition("=")
        root.arguments[name] = self.plan["arguments"].get(name, default)

    def _env(self, root: Root, one: Instruction) -> None:
        known = {"PATH": PATH, **root.variables, **root.arguments}
        for word in one.words:
            name, _, value = word.partition("=")
            root.variables[name] = fill_in(value, known)

    def _workdir(self, root: Root, one: Instruction) -> None:
        root.work = one.text
        (root.folder / one.text.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _user(self, root: Root, one: Instruction) -> None:
        root.user = one.text

    def _cmd(self, root: Root, one: Instruction) -> None:
        root.command = json.loads(one.text)

    def _label(self, root: Root, one: Instruction) -> None:
        assert all("=" in word for word in one.words)

    def _healthcheck(self, root: Root, one: Instruction) -> None:
        assert one.text.startswith("CMD ")


def lay_python(folder: Path) -> None:
    """Copy this machine's Python to the base image's path, readable for every user."""
    prefix = Path(sys.base_prefix)
    if prefix == Path("/usr"):
        (folder / "usr/bin/python").unlink(missing_ok=True)
        (folder / "usr/bin/python").symlink_to("python3")
    elif prefix != Path("/usr/local"):
        mount("--bind", prefix, folder / "usr/local")
        mount("-o", "remount,bind,ro", folder / "usr/local")
        for parent in (prefix, *prefix.parents[:-1]):  # where its shared library is looked for
            inside = folder / str(parent).lstrip("/")
            inside.chmod(inside.stat().st_mode | 0o055)


def mount(*words: object) -> None:
    """Mount a file system in this process's namespace."""
    subprocess.run(["mount", *map(str, words)], check=True)


def main() -> None:
    """Execute the plan; write its steps and the outputs of the checks beside it."""
    path = Path(sys.argv[1])
    plan = json.loads(path.read_text())
    mount(
        "-t", "tmpfs", "tmpfs", plan["folder"]
    )  # an overlay of a container's root could not be written to
    build = Build(plan, Path(plan["folder"]))
    for stage in read_stages(Path(plan["dockerfile"])):
        root = build.make(stage)
    answers = {}
    for name, check in plan["checks"].items():
        done = root.run(check["command"] or root.command, **check.get("variables", {}))
        answers[name] = {"code": done.returncode, "out": done.stdout, "error": done.stderr}
    path.with_suffix(".done").write_text(json.dumps({"steps": build.steps, "answers": answers}))


if __name__ == "__main__":
    main()
