"""What the driver makes of Ray's errors."""

import pytest

from tuning.mirror import explain_error

TASK = "Failure # 1 (occurred at 2026-11-25_21-03-12)\nray::ImplicitFunc.train() (pid=1, actor_id=a)\n  File x\n"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", "worker", "The worker process died."),
        (f"{TASK}RuntimeError: no", "worker", "RuntimeError: no"),
        (f"{TASK}OSError: [Errno 28] No space left on device", "disk", "No space left on device"),
        (f"{TASK}RuntimeError: PytorchStreamWriter failed writing file", "disk", "writing file"),
        (
            f"{TASK}RuntimeError: no\nFailure # 2 (occurred at 2026)\nThe actor died unexpectedly",
            "worker",
            "The worker process died.",  # the latest counts
        ),
        (
            (
                "Failure # 1 (occurred at 2026)\n1 worker(s) were killed due to the node running low on memory. Memory on the "
                "node (IP: 192.0.2.2, ID: 04) was 1.31GB used / 23.54GB limit (0.055807)\nOOM kill reason: Memory"
            ),
            "memory",
            "The machine ran out of memory, and Ray ended the trial's worker.",
        ),
    ],
)
def test_reason_of_a_failure_is_a_line(text: str, kind: str, message: str) -> None:
    found = explain_error(text)
    assert found[0] == kind
    assert message in found[1]
    assert "\n" not in found[1]
