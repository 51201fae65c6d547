"""Atomic replacement of JSON files: a concurrent reader sees the old content or the new content."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

_DEFAULT_MODE = 0o644


def replace_json(file: Path, value: Mapping[str, object]) -> None:
    """Replaces *file* with *value* and keeps its permissions. Raises OSError."""
    mode = file.stat().st_mode & 0o777 if file.exists() else _DEFAULT_MODE
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as stream:
        stream.write(text)
    temporary = Path(stream.name)
    temporary.chmod(mode)
    temporary.replace(file)
