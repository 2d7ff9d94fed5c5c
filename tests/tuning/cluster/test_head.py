"""A wrong address of a cluster is refused within seconds, whatever answers there."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tuning.cluster import head
from tuning.cluster.head import check_head, find_head_fault


@contextmanager
def listen(answer: bytes) -> Iterator[str]:
    """A server that answers every connection with some bytes, or not at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection, suppress(OSError):
                    if answer:
                        connection.sendall(answer)
                    connection.recv(64)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_of_grpc_is_taken_for_a_head() -> None:
    with listen(b"\0\0\0\4\0\0\0\0\0") as address:
        assert find_head_fault(address) == ""
        assert find_head_fault(f"ray://{address}") == ""


def test_another_service_and_a_silent_one_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(b"SSH-2.0-OpenSSH_9.2\r\n") as address:
        assert find_head_fault(address) == f"something else than Ray answers at {address}"
    monkeypatch.setattr(head, "_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel connects, nobody answers
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert "accepts connections, but does not answer" in find_head_fault(address)


def test_a_name_whose_search_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "LIMIT_S", 0.2)
    monkeypatch.setattr(head, "_knock", lambda _: time.sleep(60) or "")
    began = time.monotonic()
    assert find_head_fault("nope:1") == "nope:1 does not answer within 0.2 s"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("address", ["host:abc", "bad", "127.0.0.1:1", "host:99999"])
def test_an_address_where_nothing_answers_is_named_with_the_remedy(address: str) -> None:
    with pytest.raises(
        ConnectionError, match=rf"must answer at {address}, but: .*\. Start it, .*unset RAY_ADDRESS"
    ):
        check_head(address)
