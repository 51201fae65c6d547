"""Reading of JSON Lines files, plain or gzip. Errors name file and line."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from rerank.core.errors import TrainingDataError

_GZIP_MAGIC = b"\x1f\x8b"
Row = Mapping[str, object]


def read_json_lines(path: Path) -> Iterator[tuple[int, Row]]:
    """Yields line number, from 1, and object of each line of *path*. Skips blank lines.

    Raises TrainingDataError, with file and line, if the file or a line cannot be read.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            compressed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        with gzip.open(path, "rb") if compressed else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _parse(line, f"{path}:{number}")
    except FileNotFoundError as exc:
        raise TrainingDataError(f"{path} does not exist. --data must name JSON Lines files or folders.") from exc
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise TrainingDataError(f"{path}:{number + 1}: the gzip file is damaged: {exc}.") from exc
    except OSError as exc:
        raise TrainingDataError(f"{path}: cannot read the file: {exc.strerror}.") from exc


def file_sha256(path: Path) -> str:
    """Returns the file's SHA-256 in hexadecimal. Raises TrainingDataError if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise TrainingDataError(f"{path}: cannot read the file: {exc.strerror}.") from exc


def get_text(row: Row, key: str, location: str) -> str:
    """Returns the string *key* of *row*. Raises TrainingDataError if it is missing, blank or not a string."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise TrainingDataError(f'{location}: "{key}" must be a non-blank string, {_got(row, key)}.')
    return value


def get_texts(row: Row, key: str, location: str, *, at_least: int = 1) -> list[str]:
    """Returns the list of strings *key* of *row*.

    Raises TrainingDataError if it has fewer than *at_least* items, or an item is blank or not a string.
    """
    values = row.get(key)
    if (
        not isinstance(values, list)
        or len(values) < at_least
        or not all(isinstance(text, str) and text.strip() for text in values)
    ):
        raise TrainingDataError(
            f'{location}: "{key}" must be a list of at least {at_least} non-blank strings, {_got(row, key)}.'
        )
    return values


def get_number(row: Row, key: str, location: str, *, maximum: float) -> float:
    """Returns the number *key* of *row*. Raises TrainingDataError if it is not a number from 0 to *maximum*."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= maximum:
        raise TrainingDataError(f'{location}: "{key}" must be a number from 0 to {maximum:g}, {_got(row, key)}.')
    return float(value)


def _got(row: Row, key: str) -> str:
    if key not in row:
        return "but it is missing"
    shown = json.dumps(row[key], ensure_ascii=False)
    return f"got {shown if len(shown) <= 60 else shown[:60] + '…'}"


def _parse(line: bytes, location: str) -> Row:
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise TrainingDataError(f"{location}: the line must be JSON in UTF-8: {exc}.") from exc
    if not isinstance(value, dict):
        raise TrainingDataError(f"{location}: the line must be a JSON object.")
    return value
