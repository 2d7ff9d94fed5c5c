import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STDLIB = Path(sysconfig.get_path("stdlib")) / "platform.py"


def test_platform_folder_is_no_package() -> None:
    assert list((ROOT / "platform").rglob("*.md"))  # the folder exists
    for folder in ("platform", "docker", "mlruns"):
        assert list((ROOT / folder).rglob("__init__.py")) == []


def test_platform_is_the_standard_library_s_under_pytest() -> None:
    assert platform.__file__ == str(STDLIB)


def test_platform_is_the_standard_library_s_from_the_root() -> None:
    ask = [sys.executable, "-c", "import platform; print(platform.__file__)"]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(STDLIB)


def test_wheel_holds_the_named_packages_alone() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    assert 'packages = ["data", "models", "tuning"]' in lines


def test_help_needs_no_heavy_library() -> None:
    ask = (
        "import sys\nimport tuning.run\ntry:\n    tuning.run.main(['--help'])\nexcept SystemExit:\n"
        "    print([name for name in ('torch', 'ray', 'mlflow', 'xarray') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("[]\n"), done.stderr


@pytest.mark.slow
def test_platform_is_the_standard_library_s_inside_a_ray_worker() -> None:
    ask = (
        "import ray\nray.init('local', num_cpus=1, include_dashboard=False, log_to_driver=False)\n"
        "def where():\n    import platform\n    return platform.__file__\n"
        "print(ray.get(ray.remote(where).remote()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith(str(STDLIB)), done.stderr
