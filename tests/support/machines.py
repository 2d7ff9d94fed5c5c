"""Simulated machines for cluster tests: each has its own processes, network address, home, /tmp and SSH server.

``ray up`` and ``ray down`` run ``ray stop``, which ends every Ray process that it can see: here it sees one machine's.
A machine is a set of Linux namespaces, which needs root; no port is reachable from outside of it.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)
SHARED = Path("/srv")  # one folder that every machine sees, as if by NFS
NEEDED = ("unshare", "nsenter", "setpriv", "ip", "ssh", "ssh-keygen", "rsync", "/usr/sbin/sshd")
OWN = ["--net", "--uts", "--pid", "--mount"]
# First process of a machine. Covers its home and /tmp by fresh folders in which checkout and Python are seen.
BOOT = """
cover() {
    target=$1 fresh=$2
    for path in "$ROOT" "$PREFIX" "$BASE"; do
        case $path/ in "$target"/*)
            mkdir -p "$fresh${path#$target}"; mount --bind "$path" "$fresh${path#$target}";;
        esac
    done
    mount --rbind "$fresh" "$target"
}
hostname "$NAME"
ip link set lo up
mount --bind "$FOLDER/shared" /srv
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
mount --bind "$FOLDER/hosts" /etc/hosts
mount -t tmpfs none /run
mkdir -p /run/sshd
cp "$FOLDER/sshd_config" "$FOLDER/host_key" /run/sshd
chmod 600 /run/sshd/host_key
cover "$HOME" "$FOLDER/$NAME/home"
cover /tmp "$FOLDER/$NAME/tmp"
echo ready
while true; do sleep 1000 & wait; done  # and bash reaps what others leave behind
"""
SSHD = """
HostKey /run/sshd/host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PidFile none
"""


def why_not() -> str:
    """Return why simulated machines are not possible here; empty if they are."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"machines need {', '.join(missing)}: apt-get install openssh-server rsync iproute2"
    if os.getuid() != 0:
        return "machines need root"
    if ROOT in (HOME, Path("/tmp"), SHARED) or SHARED in ROOT.parents:
        return f"machines cover {ROOT}"
    made = subprocess.run(
        ["unshare", *OWN, "--fork", "true"], capture_output=True, text=True, check=False
    )
    return f"machines need namespaces: {made.stderr.strip()}" if made.returncode else ""


@dataclass(frozen=True)
class Machine:
    """A running machine: its name, address, folder on the host and first process."""

    name: str
    address: str
    folder: Path
    pid: int

    @property
    def home(self) -> Path:
        """The home folder's path on the host."""
        return self.folder / self.name / "home"

    def command(self, words: list[str], folder: str = str(HOME), **variables: str) -> list[str]:
        """Return the command line that runs *words* on this machine in a clean environment."""
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        given = {"HOME": str(HOME), "USER": "root", "PATH": path, "LANG": "C.UTF-8", **variables}
        inside = ["nsenter", "--target", str(self.pid), *OWN, "--", "env", "-i"]
        inside += [f"{name}={value}" for name, value in given.items()]
        return [*inside, "sh", "-c", 'cd "$1" && shift && exec "$@"', "-", folder, *words]

    def run(
        self, *words: str, folder: str = str(HOME), seconds: float = 180, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command on this machine; return the completed process with stdout and stderr merged."""
        return subprocess.run(
            self.command(list(words), folder, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )


@contextmanager
def _boot(name: str, address: str, folder: Path) -> Iterator[Machine]:
    for part in ("home", "tmp"):
        (folder / name / part).mkdir(parents=True)
    lines = (
        "# as on any machine\nexport OMP_WAIT_POLICY=passive  # all machines share these cores\n"
    )
    (folder / name / "home" / ".bashrc").write_text(lines)
    (folder / name / "tmp").chmod(0o1777)
    variables = {"NAME": name, "FOLDER": str(folder), "ROOT": str(ROOT), "HOME": str(HOME)}
    variables |= {
        "PREFIX": sys.prefix,
        "BASE": sys.base_prefix,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # The kernel ends a machine with its first process, that with unshare, and that with this one.
    words = [
        "setpriv",
        "--pdeathsig=KILL",
        "unshare",
        *OWN,
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    boot = subprocess.Popen(
        [*words, "bash", "-euc", BOOT],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert boot.stdout is not None
        assert boot.stdout.readline() == "ready\n"
        first = psutil.Process(boot.pid).children()[0].pid
        yield (machine := Machine(name, address, folder, first))
        assert psutil.pid_exists(machine.pid), "the machine has ended by itself"
    finally:
        boot.kill()
        boot.communicate()


def _connect(switch: Machine, node: Machine) -> None:
    """Assign a machine its address on the common network."""

    def on(machine: Machine, *lines: str) -> None:
        for line in lines:  # in its network alone, since the ids are those of the processes here
            inside = ["nsenter", "--target", str(machine.pid), "--net", "ip", *line.split()]
            subprocess.run(inside, check=True)

    if switch is node:
        on(node, "link add eth0 type bridge")
    else:
        on(switch, f"link add {node.name} type veth peer name eth0 netns {node.pid}")
        on(switch, f"link set {node.name} master eth0 up")
    on(node, f"address add {node.address}/24 dev eth0", "link set eth0 up")
    if switch is not node:
        on(node, f"route add default via {switch.address}")  # Ray finds its address by it


@contextmanager
def boot_machines(folder: Path, *names: str) -> Iterator[list[Machine]]:
    """Start machines; the first can log in to the others as root with its key ~/.ssh/landslide."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shared").mkdir()
    addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
    (folder / "hosts").write_text(
        "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in addresses.items())
    )
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # refuses at once
    (folder / "sshd_config").write_text(SSHD)
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"]
    for key in ("host_key", "user_key"):
        subprocess.run([*make, str(folder / key)], check=True)
    with ExitStack() as stack:
        found = [stack.enter_context(_boot(name, ip, folder)) for name, ip in addresses.items()]
        for machine in found:
            _connect(found[0], machine)
            (ssh := machine.home / ".ssh").mkdir(mode=0o700)
            shutil.copy(folder / "user_key.pub", ssh / "authorized_keys")
        shutil.copy(folder / "user_key", found[0].home / ".ssh" / "landslide")
        for machine in found[1:]:
            _listen(machine)
        yield found


def _listen(machine: Machine) -> None:
    """Start the machine's SSH server."""
    done = machine.run("/usr/sbin/sshd", "-f", "/run/sshd/sshd_config", "-E", "/run/sshd/log")
    assert done.returncode == 0, done.stdout
