"""Settings of a small campaign."""

from data.pack.channels import SAR_CHANNELS
from tuning.settings.settings import Settings


def make_settings(**changes: object) -> Settings:
    """Return the settings of a small campaign on the twin."""
    values: dict[str, object] = {
        "campaign": "first",
        "models": ("unet",),
        "baselines": (),
        "preset": "smoke",
        "data": "twin",
        "units": None,
        "split": "blocks",
        "channels": SAR_CHANNELS,
        "steps": "even",
        "timesteps": 4,
        "norm": "train",
        "augment": {"turn": 1},
        "trials": 2,
        "seeds": 2,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]
