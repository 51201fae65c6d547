"""Lines of a training file, plain or gzip, each with its place for messages."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from rerank.core.errors import TrainingDataError

_GZIP = b"\x1f\x8b"


def read_json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The JSON objects of *path*, numbered from 1, blank lines left out.

    Raises TrainingDataError, with file and line, for what cannot be read.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP
        with gzip.open(path, "rb") if zipped else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, f"{path}:{number}")
    except FileNotFoundError as exc:
        raise TrainingDataError(f"{path}: not found; --data names files of JSON lines or folders") from exc
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise TrainingDataError(f"{path}:{number + 1}: the gzip file is damaged: {exc}") from exc
    except OSError as exc:
        raise TrainingDataError(f"{path}: cannot be read: {exc.strerror}") from exc


def digest(path: Path) -> str:
    """SHA-256 of the file, in hex. Raises TrainingDataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise TrainingDataError(f"{path}: cannot be read: {exc.strerror}") from exc


def get_text(row: Mapping[str, object], key: str, place: str) -> str:
    """The text under *key*. Raises TrainingDataError where there is none, or nothing but blanks."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise TrainingDataError(f'{place}: "{key}" is missing or no text; it must be a text that is not blank')
    return value


def get_number(row: Mapping[str, object], key: str, place: str, *, highest: float) -> float:
    """The number under *key*, from 0 to *highest*. Raises TrainingDataError where it is none or outside."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TrainingDataError(f'{place}: "{key}" is missing or no number; it must be from 0 to {highest:g}')
    if not 0 <= value <= highest:
        raise TrainingDataError(f'{place}: "{key}" is {value}, outside 0 to {highest:g}')
    return float(value)


def _object(line: bytes, place: str) -> Mapping[str, object]:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise TrainingDataError(f"{place}: not JSON in UTF-8: {exc}") from exc
    if not isinstance(value, dict):
        raise TrainingDataError(f"{place}: not an object; each line is one JSON object")
    return value
