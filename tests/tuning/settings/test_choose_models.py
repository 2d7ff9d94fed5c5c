"""Which models a campaign's words mean."""

from pathlib import Path

import pytest

from models import _registry, add_network
from tests.support.outside_networks import write_tiny
from tuning.settings.choose_models import describe_networks


@pytest.mark.parametrize("name", ["all", "field", "baselines", "cusum"])
def test_network_with_the_name_of_a_baseline_or_group_is_refused_with_another(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_registry, "_added", {})
    reference = f"{name}={write_tiny(tmp_path)}"
    message = f"{name} of .+ is that of a baseline or group. Choose another: my_{reference}"
    with pytest.raises(ValueError, match=message):
        describe_networks([add_network(reference)])
