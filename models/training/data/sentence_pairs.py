"""Scored sentence pairs in the layout of the STS benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import file_sha256, get_number, get_text, read_json_lines
from rerank.models.training.options import Language

MAX_SCORE = 5.0
PARTS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two texts with a label: their similarity from 0 to 1, or the number of a class."""

    first: str
    second: str
    label: float

    @property
    def swapped(self) -> SentencePair:
        """The pair in the other order."""
        return SentencePair(self.second, self.first, self.label)


@dataclass(frozen=True)
class SentenceData:
    """Training, development and test pairs. `digests`: SHA-256 of each file, by path."""

    train: tuple[SentencePair, ...]
    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    digests: Mapping[str, str]


def read_sentence_pairs(folders: Sequence[Path], *, language: Language) -> SentenceData:
    """Returns train.jsonl, dev.jsonl and test.jsonl (plain or gzip) of each folder.

    A line is {"it": [text, text], "en": [text, text], "score"}; `both` selects the pairs of both languages. Raises
    TrainingDataError, with file and line, if a line is invalid or all scores of a part are equal.
    """
    files = {part: [_find_file(folder, part) for folder in folders] for part in PARTS}
    languages = ("it", "en") if language == "both" else (language,)
    pairs = {part: [pair for file in files[part] for pair in _read_file(file, languages)] for part in PARTS}
    for part, read in pairs.items():
        if len({pair.label for pair in read}) < 2:
            raise TrainingDataError(
                f"{', '.join(map(str, files[part]))}: the pairs must have at least 2 different scores; all {len(read)}"
                " are equal."
            )
    return SentenceData(
        train=tuple(pairs["train"]),
        dev=tuple(pairs["dev"]),
        test=tuple(pairs["test"]),
        digests={str(file): file_sha256(file) for part in PARTS for file in files[part]},
    )


def _find_file(folder: Path, part: str) -> Path:
    for name in (f"{part}.jsonl", f"{part}.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise TrainingDataError(f"{folder} must contain train.jsonl, dev.jsonl and test.jsonl: {part}.jsonl is missing.")


def _read_file(file: Path, languages: Sequence[str]) -> list[SentencePair]:
    pairs = []
    for number, row in read_json_lines(file):
        location = f"{file}:{number}"
        label = get_number(row, "score", location, maximum=MAX_SCORE) / MAX_SCORE
        for language in languages:
            texts = row.get(language)
            if not isinstance(texts, list) or len(texts) != 2:
                found = ", ".join(f'"{key}"' for key in row)
                raise TrainingDataError(
                    f'{location}: "{language}" must be a list of two strings. The keys of the line are {found}.'
                )
            first, second = (get_text({language: text}, language, location) for text in texts)
            pairs.append(SentencePair(first, second, label))
    return pairs
