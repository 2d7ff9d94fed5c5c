"""Helpers for a Slurm job's Ray cluster: choose free ports, and wait until all nodes have joined.

ray_cluster.py port IP JOB                print the first of a hundred ports
ray_cluster.py wait ADDRESS NODES SECONDS wait until the nodes have joined; exit code 1 if they do not
"""

import argparse
import socket
import sys
import time

FIRST, SLOTS, WIDTH = 20_000, 120, 100  # below Linux's ephemeral ports, which start at 32768
FIXED = 3  # GCS, client server and dashboard of the head
PAUSE_S = 1.0


def is_free(ip: str, port: int) -> bool:
    """Return whether a port is free."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((ip, port))
        except OSError:
            return False
    return True


def choose_port(ip: str, job: int) -> int:
    """Choose the job's first port: jobs on one node start at different ports, and skip those in use.

    Raises:
        OSError: If all are taken.
    """
    for step in range(SLOTS):
        port = FIRST + WIDTH * ((job + step) % SLOTS)
        if all(is_free(address, port + more) for more in range(FIXED) for address in (ip, "")):
            return port
    raise OSError(
        f"A head of Ray needs {FIXED} free ports of {ip} between {FIRST} and {FIRST + SLOTS * WIDTH}, but "
        "all are taken. Choose another first node with sbatch --exclude."
    )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PAUSE_S):
            return True
    except OSError:
        return False


def count_nodes(address: str) -> int:
    """Count the nodes that have joined; connects on first use."""
    import ray  # slow, and not needed by `port`

    if not ray.is_initialized():
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    return sum(node["Alive"] for node in ray.nodes())


def wait_for_nodes(address: str, nodes: int, seconds: float) -> int:
    """Wait until the nodes have joined; return how many did."""
    joined, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        if _answers(address):
            joined = count_nodes(address)
        if joined >= nodes:
            break
        time.sleep(PAUSE_S)
    return joined


def main(argv: list[str] | None = None) -> int:
    """Answer what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked = parser.add_subparsers(dest="asked", required=True)
    port = asked.add_parser("port")
    port.add_argument("ip")
    port.add_argument("job", type=int)
    wait = asked.add_parser("wait")
    wait.add_argument("address")
    wait.add_argument("nodes", type=int)
    wait.add_argument("seconds", type=float)
    args = parser.parse_args(argv)
    try:
        if args.asked == "port":
            print(choose_port(args.ip, args.job))
            return 0
        joined = wait_for_nodes(args.address, args.nodes, args.seconds)
    except (OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if joined < args.nodes:
        print(
            f"error: {args.nodes} nodes must join Ray at {args.address} within {args.seconds:g} s, but {joined} "
            "did. Look for the reason in the nodes' logs; LANDSLIDE_JOIN_S sets the seconds.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
