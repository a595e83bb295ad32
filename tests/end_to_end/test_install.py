"""How the programs are installed today: the commands of the README, typed in a copy of it all."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.contract.running import ROOT

PROGRAMS = ("tau-custom-command", "tau-rollout-gate", "tau-transport-health")


@pytest.mark.skipif(find_spec("ensurepip") is None, reason="this Python makes no venv with pip")
def test_what_the_readme_says_installs_all_three(tmp_path: Path) -> None:
    """From wheels that are built there; what they depend on is taken from this environment."""
    section = ROOT.joinpath("README.md").read_text().partition("\n## Install\n")[2]
    setup, *typed, version = section.partition("```bash\n")[2].partition("```")[0].splitlines()
    assert setup == "./scripts/setup.sh"  # made the environment that this runs in
    for name in ("packages", "pyproject.toml", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    here = Path(sys.executable).parent
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/uv").symlink_to(here / "uv")
    path = f"{Path(sys.base_prefix, 'bin')}:{os.environ['PATH']}"
    offline = {"PATH": path, "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    for line in typed:
        done = subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=tmp_path,
            env=os.environ | offline,
            check=False,
            stderr=subprocess.PIPE,
        )
        assert done.returncode == 0, (line, done.stderr)
    (dependencies,) = (here.parent / "lib").glob("python*/site-packages")
    assert version == f"tau/bin/{PROGRAMS[0]} --version"
    for program in PROGRAMS:
        found = subprocess.run(
            [tmp_path / "tau/bin" / program, "--version"],
            env=os.environ | {"PYTHONPATH": str(dependencies)},
            stdout=subprocess.PIPE,
            check=True,
        )
        assert found.stdout.startswith(f"{program} ".encode()), found
