"""Pairs of premise and hypothesis with what the one says of the other."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import digest, get_text, read_json_lines
from rerank.models.training.data.sentence_pairs import SentencePair
from rerank.models.training.options import NliOptions

THREE = ("contradiction", "entailment", "neutral")
TWO = ("not_entailment", "entailment")
"""In the order of the model's answers: of two labels the second one means that it holds, as transformers has it."""
_SPELLINGS = {"nonentailment": "not_entailment", "non_entailment": "not_entailment", "not-entailment": "not_entailment"}
_UNDECIDED = "-"
"""What SNLI writes where its judges did not agree."""
_PARTS = {"train": "train", "dev": "dev", "trial": "dev", "valid": "dev", "test": "test"}


@dataclass(frozen=True, slots=True)
class Entailment:
    """A premise, a hypothesis, and the label as the data has it."""

    premise: str
    hypothesis: str
    label: str
    place: str


@dataclass(frozen=True)
class EntailmentData:
    """The three parts as pairs whose label is a number of `labels`; `digests`: the SHA-256 of each file."""

    train: tuple[SentencePair, ...]
    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    labels: tuple[str, ...]
    digests: Mapping[str, str]


def read_entailments(options: NliOptions) -> EntailmentData:
    """Lines of {"premise" or "text", "hypothesis", "label"} in files whose names say their part.

    Without a train file the dev part is learned from; without a dev part a share of the train part, by premise, is
    held out; without a test part the dev part is measured on. Raises TrainingDataError, with file and line, for what
    cannot be read, for a label that is not known, and for a class that has no pair to learn from.
    """
    files = [(file, part) for path in options.data for file, part in _files(path, options.language)]
    parts: dict[str, list[Entailment]] = {"train": [], "dev": [], "test": []}
    for file, part in files:
        parts[part].extend(_rows(file))
    train, dev, test = parts["train"], parts["dev"], parts["test"]
    if not train:
        train, dev = dev, []
    if not train:
        raise TrainingDataError(f"{', '.join(map(str, options.data))}: no pairs to learn from")
    if not dev:
        train, dev = _divided(train, options)
    labels = _labels([*train, *dev, *test])
    _check_classes(train, labels)
    learned, held_out, measured = (tuple(_pair(row, labels) for row in rows) for rows in (train, dev, test or dev))
    return EntailmentData(learned, held_out, measured, labels, {str(file): digest(file) for file, _ in files})


def _files(path: Path, language: str) -> list[tuple[Path, str]]:
    """The files of *path*, with their parts; in a folder those whose names say no part are left alone."""
    if not path.is_dir():
        return [(path, _part(path) or "train")]
    found = [
        (file, part)
        for file in sorted({*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")})
        if (part := _part(file)) and (language == "both" or file.name[:3] not in {"it_", "en_"} - {f"{language}_"})
    ]
    if not found:
        raise TrainingDataError(f"{path}: no file of JSON lines whose name says train, dev or test")
    return found


def _part(file: Path) -> str | None:
    return next((part for word, part in _PARTS.items() if word in file.name.partition(".")[0]), None)


def _rows(file: Path) -> list[Entailment]:
    rows = []
    for number, row in read_json_lines(file):
        place = f"{file}:{number}"
        label = get_text(row, "label", place).strip().lower().replace(" ", "_")
        if label != _UNDECIDED:
            premise = get_text(row, "premise" if "premise" in row else "text", place)
            rows.append(Entailment(premise, get_text(row, "hypothesis", place), _SPELLINGS.get(label, label), place))
    return rows


def _labels(rows: Sequence[Entailment]) -> tuple[str, ...]:
    labels = THREE if any(row.label in ("neutral", "contradiction") for row in rows) else TWO
    for row in rows:
        if row.label not in labels:
            raise TrainingDataError(
                f'{row.place}: the label "{row.label}" is not among {", ".join(labels)}; there are'
                f" {', '.join(THREE)}, or {' and '.join(TWO)}"
            )
    return labels


def _check_classes(train: Sequence[Entailment], labels: Sequence[str]) -> None:
    counts = Counter(row.label for row in train)
    empty = [label for label in labels if not counts[label]]
    if empty:
        raise TrainingDataError(
            f"no pair to learn from is labelled {' or '.join(empty)}; each of {', '.join(labels)} needs some"
        )


def _divided(rows: Sequence[Entailment], options: NliOptions) -> tuple[list[Entailment], list[Entailment]]:
    """Rows to learn from and rows held out, no premise in both."""
    premises = sorted({row.premise for row in rows})
    random.Random(options.seed).shuffle(premises)
    if len(premises) < 2:
        raise TrainingDataError("all pairs have one premise; at least 2 are needed, one of them to measure on")
    held_out = set(premises[: min(len(premises) - 1, max(1, round(options.development * len(premises))))])
    return [row for row in rows if row.premise not in held_out], [row for row in rows if row.premise in held_out]


def _pair(row: Entailment, labels: Sequence[str]) -> SentencePair:
    return SentencePair(row.premise, row.hypothesis, float(labels.index(row.label)))
