"""Runs the command line in a separate folder and environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from rerank.cli.main import cli
from rerank.core.settings_loading import PREFIX

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-c", "from rerank.cli.main import main; main()")


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Returns stdout, which must be one JSON value."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`rerank-cli` in *folder*. *environment* holds all its settings from the environment."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, stdin: str = "", **environment: str) -> Result:
        """Runs a command in this process, which is faster than a new process."""
        unset: dict[str, str | None] = {name: None for name in os.environ if name.startswith(PREFIX)}
        with chdir(self.folder):
            result = CliRunner().invoke(
                cli, args, input=stdin, env={**unset, **self.environment, **environment}, prog_name="rerank-cli"
            )
        return Result(result.exit_code, result.stdout, result.stderr)

    def subprocess(self, *args: str, **environment: str) -> Result:
        """Runs a command in a new process, as a shell does."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        done = subprocess.run(
            [*PROGRAM, *args],
            cwd=self.folder,
            env={**inherited, "PYTHONPATH": str(ROOT), **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)
