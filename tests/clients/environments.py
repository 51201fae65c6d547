"""Virtual environments for clients whose requirements conflict with this project's and with each other's.

Each environment is created from tests/clients/requirements/NAME.txt in .venv-clients, and rebuilt when that file
changes. If a package cannot be installed, the tests of its clients are skipped with pip's message. With
--require-clients, which continuous integration sets, they fail.
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
ENVIRONMENTS = ROOT / ".venv-clients"
_TIMEOUT_SECONDS = 900
_MESSAGE_CHARACTERS = 600


class CannotBeInstalled(Exception):
    """pip could not install an environment. The message is the end of pip's output."""


def python_of(name: str) -> Path:
    """Returns the interpreter of the environment *name*, and creates it if needed. Raises CannotBeInstalled."""
    requirements = REQUIREMENTS / f"{name}.txt"
    state = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = ENVIRONMENTS / name
    stamp = folder / "made-from"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with FileLock(ENVIRONMENTS / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            # The file pins all dependencies, so pip does not resolve any. Compiling all modules takes longer than
            # importing the few that a program uses.
            options = ("--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check")
            python = str(folder / "bin" / "python")
            _run(python, "-m", "pip", "install", *options, "--requirement", str(requirements))
            # Written last, so that an interrupted installation is repeated.
            stamp.write_text(state, encoding="utf-8")
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    completed = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if completed.returncode:
        raise CannotBeInstalled(completed.stderr[-_MESSAGE_CHARACTERS:].strip())
