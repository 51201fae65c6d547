"""Premises and hypotheses with entailment labels."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import file_sha256, get_text, read_json_lines
from rerank.models.training.data.sentence_pairs import SentencePair
from rerank.models.training.options import NliOptions

THREE_LABELS = ("contradiction", "entailment", "neutral")
"""Labels in the order of the model's logits."""
TWO_LABELS = ("not_entailment", "entailment")
"""Labels in the order of the model's logits; transformers takes the second of two labels as the positive class."""
_SPELLINGS = {"nonentailment": "not_entailment", "non_entailment": "not_entailment", "not-entailment": "not_entailment"}
# SNLI's label of pairs whose annotators disagreed.
_NO_CONSENSUS = "-"
_PARTS = {"train": "train", "dev": "dev", "trial": "dev", "valid": "dev", "test": "test"}


@dataclass(frozen=True, slots=True)
class Entailment:
    """Premise, hypothesis and label, with file and line."""

    premise: str
    hypothesis: str
    label: str
    location: str


@dataclass(frozen=True)
class EntailmentData:
    """Training, development and test pairs, whose label is an index of `labels`. `digests`: SHA-256 by file path."""

    train: tuple[SentencePair, ...]
    dev: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]
    labels: tuple[str, ...]
    digests: Mapping[str, str]


def read_entailments(options: NliOptions) -> EntailmentData:
    """Returns the lines of {"premise" or "text", "hypothesis", "label"} in files named after train, dev or test.

    Without a train file, the dev part is used for training. Without a dev file, a fraction of the training part is
    held out by premise. Without a test file, the dev part is also the test part. Raises TrainingDataError, with file
    and line, if a line is invalid, a label is unknown, or a class has no training pair.
    """
    files = [(file, part) for path in options.data for file, part in _list_files(path, options.language)]
    parts: dict[str, list[Entailment]] = {"train": [], "dev": [], "test": []}
    for file, part in files:
        parts[part].extend(_read_file(file))
    train, dev, test = parts["train"], parts["dev"], parts["test"]
    if not train:
        train, dev = dev, []
    if not train:
        raise TrainingDataError(f"{', '.join(map(str, options.data))}: the files have no training pairs.")
    if not dev:
        train, dev = _split(train, options)
    labels = _label_set([*train, *dev, *test])
    _check_classes(train, labels)
    train_pairs, dev_pairs, test_pairs = (
        tuple(_pair(row, labels) for row in rows) for rows in (train, dev, test or dev)
    )
    digests = {str(file): file_sha256(file) for file, _ in files}
    return EntailmentData(train_pairs, dev_pairs, test_pairs, labels, digests)


def _list_files(path: Path, language: str) -> list[tuple[Path, str]]:
    """Returns the files of *path* with their parts. Skips files of a folder that are named after no part."""
    if not path.is_dir():
        return [(path, _part(path) or "train")]
    files = [
        (file, part)
        for file in sorted({*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")})
        if (part := _part(file)) and (language == "both" or file.name[:3] not in {"it_", "en_"} - {f"{language}_"})
    ]
    if not files:
        raise TrainingDataError(f"{path}: the folder has no JSON Lines file with train, dev or test in its name.")
    return files


def _part(file: Path) -> str | None:
    return next((part for word, part in _PARTS.items() if word in file.name.partition(".")[0]), None)


def _read_file(file: Path) -> list[Entailment]:
    rows = []
    for number, row in read_json_lines(file):
        location = f"{file}:{number}"
        label = get_text(row, "label", location).strip().lower().replace(" ", "_")
        if label != _NO_CONSENSUS:
            premise = get_text(row, "text" if "text" in row and "premise" not in row else "premise", location)
            hypothesis = get_text(row, "hypothesis", location)
            rows.append(Entailment(premise, hypothesis, _SPELLINGS.get(label, label), location))
    return rows


def _label_set(rows: Sequence[Entailment]) -> tuple[str, ...]:
    labels = THREE_LABELS if any(row.label in ("neutral", "contradiction") for row in rows) else TWO_LABELS
    for row in rows:
        if row.label not in labels:
            raise TrainingDataError(
                f'{row.location}: "label" must be one of {", ".join(labels)}, got "{row.label}". All labels must be of'
                f" {', '.join(THREE_LABELS)}, or of {', '.join(TWO_LABELS)}."
            )
    return labels


def _check_classes(train: Sequence[Entailment], labels: Sequence[str]) -> None:
    counts = Counter(row.label for row in train)
    empty = [label for label in labels if not counts[label]]
    if empty:
        raise TrainingDataError(
            f"The training part has no pair labelled {' or '.join(empty)}. Add pairs: each of {', '.join(labels)}"
            " needs at least one."
        )


def _split(rows: Sequence[Entailment], options: NliOptions) -> tuple[list[Entailment], list[Entailment]]:
    """Returns training rows and held-out rows. No premise is in both."""
    premises = sorted({row.premise for row in rows})
    random.Random(options.seed).shuffle(premises)
    if len(premises) < 2:
        raise TrainingDataError(
            "All pairs have the same premise. Training needs at least 2 premises, one of them held out. Add pairs."
        )
    held_out = set(premises[: min(len(premises) - 1, max(1, round(options.development * len(premises))))])
    return [row for row in rows if row.premise not in held_out], [row for row in rows if row.premise in held_out]


def _pair(row: Entailment, labels: Sequence[str]) -> SentencePair:
    return SentencePair(row.premise, row.hypothesis, float(labels.index(row.label)))
