"""Texts with their translations, from JSON Lines files."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import file_sha256, get_text, read_json_lines

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


@dataclass(frozen=True, slots=True)
class Translation:
    """Text in the teacher's language and its translation. `other` is empty for a text without one."""

    source: str
    other: str
    language: str


@dataclass(frozen=True)
class Translations:
    """Different translations. `digests`: SHA-256 of each file, by path."""

    rows: tuple[Translation, ...]
    digests: Mapping[str, str]

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages besides the teacher's, sorted."""
        return tuple(sorted({row.language for row in self.rows if row.other}))


def read_translations(paths: Sequence[Path], *, teacher_language: str) -> Translations:
    """Returns the lines of {"en": text, "it": text}, with a text per language code, one of them *teacher_language*.

    The vector of a text in the teacher's language alone stays as it is. All JSON Lines files of a folder are read.
    Raises TrainingDataError, with file and line, if a line is invalid or fewer than 2 texts have translations.
    """
    files = [file for path in paths for file in list_files(path)]
    rows = dict.fromkeys(row for file in files for row in _read_file(file, teacher_language))
    if len({row.source for row in rows if row.other}) < 2:
        raise TrainingDataError(
            f"{', '.join(map(str, paths))}: training needs at least 2 different texts with translations, such as"
            f' {{"{teacher_language}": "…", "it": "…"}}.'
        )
    return Translations(tuple(rows), {str(file): file_sha256(file) for file in files})


def join_translations(rows: Sequence[Translation], *, most: int, seed: int) -> list[Translation]:
    """Returns longer texts, each of 2 to *most* joined translations of one language."""
    draw = random.Random(seed)
    joined: list[Translation] = []
    by_language: dict[str, list[Translation]] = {}
    for row in rows:
        by_language.setdefault(row.language, []).append(row)
    for language, group in by_language.items():
        draw.shuffle(group)
        start = 0
        while most > 1 and start + 1 < len(group):
            part = group[start : start + draw.randint(2, most)]
            start += len(part)
            joined.append(
                Translation(" ".join(row.source for row in part), " ".join(row.other for row in part).strip(), language)
            )
    return joined


def list_files(path: Path) -> list[Path]:
    """Returns *path*, or the JSON Lines files in it. Raises TrainingDataError if the folder has none."""
    if not path.is_dir():
        return [path]
    files = sorted({*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")})
    if not files:
        raise TrainingDataError(f"{path}: the folder has no JSON Lines file (*.jsonl, *.jsonl.gz).")
    return files


def _read_file(file: Path, teacher_language: str) -> list[Translation]:
    rows: list[Translation] = []
    for number, row in read_json_lines(file):
        location = f"{file}:{number}"
        source = get_text(row, teacher_language, location)
        others = [key for key in row if key != teacher_language and _LANGUAGE.fullmatch(key)]
        rows.extend(Translation(source, get_text(row, language, location), language) for language in others)
        if not others:
            rows.append(Translation(source, "", teacher_language))
    return rows
