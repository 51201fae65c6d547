"""Calls the command line as a user does, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Called:
    """What a call left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON value."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`rerank-cli` in *folder*; only the environment that is given, beside what Python needs."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, stdin: str = "", **environment: str) -> Called:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        called = subprocess.run(
            [sys.executable, "-c", "from rerank.cli.main import main; main()", *args],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), **self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Called(called.returncode, called.stdout, called.stderr)
