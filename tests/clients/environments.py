"""Environments of their own for clients whose pins collide with ours and with each other's.

Each is made once from tests/clients/requirements/NAME.txt, in .venv-clients in this project, and made anew when that
file changes. Where a package cannot be had, its clients' tests are skipped with pip's own words; --require-clients,
which continuous integration sets, makes that a failure.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).parent / "requirements"
HOME = ROOT / ".venv-clients"
_SECONDS = 900
_SHOWN = 600


class CannotBeInstalled(Exception):
    """pip could not make an environment; the message is what it said."""


def python_of(name: str) -> Path:
    """The interpreter of the environment *name*, made now if it is not there. Raises CannotBeInstalled."""
    requirements = REQUIREMENTS / f"{name}.txt"
    state = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = HOME / name
    stamp = folder / "made-from"
    HOME.mkdir(exist_ok=True)
    with FileLock(HOME / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            # The file names everything: nothing is to be resolved, and little of it will be imported.
            quick = ("--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check")
            python = str(folder / "bin" / "python")
            _run(python, "-m", "pip", "install", *quick, "--requirement", str(requirements))
            # Last: an interrupted installation is begun again.
            stamp.write_text(state, encoding="utf-8")
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    called = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if called.returncode:
        raise CannotBeInstalled(called.stderr[-_SHOWN:].strip())
