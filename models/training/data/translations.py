"""Texts with their translations, read from files of JSON lines."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import digest, get_text, read_json_lines

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")


@dataclass(frozen=True, slots=True)
class Translation:
    """A text in the teacher's language, and the same in another; `other` is empty where there is none."""

    source: str
    other: str
    language: str


@dataclass(frozen=True)
class Translations:
    """What was read, each pair of texts once; `digests`: the SHA-256 of each file, by its path."""

    rows: tuple[Translation, ...]
    digests: Mapping[str, str]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages beside the teacher's, by name."""
        return tuple(sorted({row.language for row in self.rows if row.other}))


def read_translations(paths: Sequence[Path], *, teacher_language: str) -> Translations:
    """Lines of {"en": text, "it": text}: a text under each language's code, one of them *teacher_language*.

    A line with the teacher's language alone is a text whose vector is to stay as it is. Of a folder every file of
    JSON lines is read. Raises TrainingDataError, with file and line, for what cannot be read, and for fewer than 2
    different texts with translations.
    """
    files = [file for path in paths for file in files_of(path)]
    rows = dict.fromkeys(row for file in files for row in _rows(file, teacher_language))
    if len({row.source for row in rows if row.other}) < 2:
        raise TrainingDataError(
            f"{', '.join(map(str, paths))}: fewer than 2 different texts with translations; a line is an object of"
            f' languages and texts, such as {{"{teacher_language}": "…", "it": "…"}}'
        )
    return Translations(tuple(rows), {str(file): digest(file) for file in files})


def joined(rows: Sequence[Translation], *, most: int, seed: int) -> list[Translation]:
    """*rows* again, in groups of one language, 2 to *most* at a time: longer texts whose parts mean the same."""
    draw = random.Random(seed)
    made: list[Translation] = []
    by_language: dict[str, list[Translation]] = {}
    for row in rows:
        by_language.setdefault(row.language, []).append(row)
    for language, group in by_language.items():
        draw.shuffle(group)
        start = 0
        while most > 1 and start + 1 < len(group):
            part = group[start : start + draw.randint(2, most)]
            start += len(part)
            made.append(
                Translation(" ".join(row.source for row in part), " ".join(row.other for row in part).strip(), language)
            )
    return made


def files_of(path: Path) -> list[Path]:
    """*path*, or the files of JSON lines in it. Raises TrainingDataError where there is none."""
    if not path.is_dir():
        return [path]
    files = sorted({*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")})
    if not files:
        raise TrainingDataError(f"{path}: no file of JSON lines is in it")
    return files


def _rows(file: Path, teacher_language: str) -> list[Translation]:
    rows: list[Translation] = []
    for number, row in read_json_lines(file):
        place = f"{file}:{number}"
        source = get_text(row, teacher_language, place)
        others = [key for key in row if key != teacher_language and _LANGUAGE.fullmatch(key)]
        rows.extend(Translation(source, get_text(row, language, place), language) for language in others)
        if not others:
            rows.append(Translation(source, "", teacher_language))
    return rows
