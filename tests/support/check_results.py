"""An assertion on one line of ``python -m tuning.doctor``."""

import re

from tuning.doctor.check_result import CheckResult


def matches(result: CheckResult, verdict: str, found: str, remedy: str = "") -> bool:
    """Assert a result's verdict, and that its texts match the patterns; a remedy is required unless the verdict is ok."""
    assert result.verdict == verdict, result
    assert re.search(found, result.found), result
    assert re.search(remedy, result.remedy), result
    assert bool(result.remedy) == (verdict != "ok"), result
    return True
