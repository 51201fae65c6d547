"""Scored sentence pairs in the STS benchmark's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import digest, get_number, get_text, read_json_lines
from rerank.models.training.options import Language

HIGHEST_SCORE = 5.0
PARTS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class SentencePair:
    """Two sentences and how alike they are, from 0 to 1."""

    first: str
    second: str
    label: float

    @property
    def turned(self) -> SentencePair:
        """The same pair in the other order."""
        return SentencePair(self.second, self.first, self.label)


@dataclass(frozen=True)
class SentenceData:
    """The three parts, each pair once; `digests`: the SHA-256 of each file, by its path."""

    train: tuple[SentencePair, ...]
    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    digests: Mapping[str, str]


def read_sentence_pairs(folders: Sequence[Path], *, language: Language) -> SentenceData:
    """train.jsonl, dev.jsonl and test.jsonl (plain or gzip) of each folder; a line is {"it": [2], "en": [2], "score"}.

    `both` gives the Italian and the English pair of each line. Raises TrainingDataError, with file and line, for what
    cannot be read, and for a part whose scores are all the same.
    """
    files = {part: [_file(folder, part) for folder in folders] for part in PARTS}
    languages = ("it", "en") if language == "both" else (language,)
    pairs = {part: [pair for file in files[part] for pair in _pairs(file, languages)] for part in PARTS}
    for part, read in pairs.items():
        if len({pair.label for pair in read}) < 2:
            raise TrainingDataError(
                f"{', '.join(map(str, files[part]))}: {len(read)} pairs without two different scores; nothing can be"
                " learned or measured from them"
            )
    return SentenceData(
        train=tuple(pairs["train"]),
        dev=tuple(pairs["dev"]),
        test=tuple(pairs["test"]),
        digests={str(file): digest(file) for part in PARTS for file in files[part]},
    )


def _file(folder: Path, part: str) -> Path:
    for name in (f"{part}.jsonl", f"{part}.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise TrainingDataError(f"{folder}: no {part}.jsonl; the folder must hold train.jsonl, dev.jsonl and test.jsonl")


def _pairs(file: Path, languages: Sequence[str]) -> list[SentencePair]:
    pairs = []
    for number, row in read_json_lines(file):
        place = f"{file}:{number}"
        label = get_number(row, "score", place, highest=HIGHEST_SCORE) / HIGHEST_SCORE
        for language in languages:
            texts = row.get(language)
            if not isinstance(texts, list) or len(texts) != 2:
                raise TrainingDataError(f'{place}: "{language}" is missing or no pair; it must be a list of two texts')
            first, second = (get_text({language: text}, language, place) for text in texts)
            pairs.append(SentencePair(first, second, label))
    return pairs
