"""What a training run is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ReportProgress = Callable[[int, int, float], None]
"""Called with the step just done, all steps, and the latest loss."""
ReportPreparation = Callable[[str, int, int], None]
"""Called before the first step with what is being done, how much of it is done, and how much there is."""
Language = Literal["it", "en", "both"]
Loss = Literal["listwise", "pairwise", "pointwise"]
Student = Literal["joint", "cross-encoder"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What every recipe is told.

    data: files and folders, in the recipe's own layout. output: the model folder to write. base: what it starts from;
    None for the built-in encoder.
    warmup: the part of the steps in which the rate rises. evaluate_every: steps between two evaluations, each with a
    checkpoint. keep_checkpoints: the last ones, and the best beside them. threads: of the processor; 0 leaves them as
    they are.
    """

    data: tuple[Path, ...]
    output: Path
    base: str | Path | None = None
    epochs: float = 1.0
    max_steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 3e-5
    seed: int = 42
    warmup: float = 0.1
    evaluate_every: int = 250
    keep_checkpoints: int = 2
    threads: int = 0
    on_progress: ReportProgress | None = None
    on_preparation: ReportPreparation | None = None


@dataclass(frozen=True, kw_only=True)
class PairsOptions(RunOptions):
    """A reranker from judged pairs of query and passage.

    data: JSON-lines files (plain or gzip) of {"query", "passage", "label"} with labels from 0 to 1, or of {"query",
        "positive", "negatives"}, or BEIR folders with qrels.
    base: None for a joint model from the built-in encoder; else a folder: a bi-encoder (becomes a joint model), a
        joint model, or a cross-encoder.
    development: a part of the queries, held out for the evaluation that chooses the best checkpoint.
    loss: of the labels; negatives: passages beside the positive in a list. teacher_weight: how much of the loss is the
        divergence from the base encoder's own order; 0 learns from the labels alone.
    max_tokens: tokens read of a passage.
    """

    loss: Loss = "listwise"
    negatives: int = 3
    teacher_weight: float = 0.5
    development: float = 0.1
    max_tokens: int = 160


@dataclass(frozen=True, kw_only=True)
class StsOptions(RunOptions):
    """A similarity model from scored sentence pairs: every pair in both orders, label = score / 5.

    data: a folder in the STS benchmark's layout (train, dev and test files, one a language). base: None for the
    built-in encoder's weights, else a folder of a BERT-like encoder or of a reranker with one label. student: what a
    bi-encoder becomes. max_tokens: of both sentences together.
    """

    student: Student = "cross-encoder"
    language: Language = "it"
    epochs: float = 4.0
    learning_rate: float = 2e-5
    max_tokens: int = 128
    evaluate_every: int = 500


@dataclass(frozen=True, kw_only=True)
class NliOptions(RunOptions):
    """A classifier of pairs: what a premise says of a hypothesis.

    data: files of {"premise", "hypothesis", "label"}, or folders of them whose names say train, dev or test. language:
    of files whose names begin with one, such as it_dev.jsonl, those of this language are read.
    """

    language: Language = "both"
    epochs: float = 3.0
    learning_rate: float = 5e-5
    batch_size: int = 32
    development: float = 0.1
    max_tokens: int = 128
    evaluate_every: int = 200


@dataclass(frozen=True, kw_only=True)
class DistillOptions(RunOptions):
    """A reranker that learns another model's scores.

    data: what PairsOptions takes, and files of {"query", "passages", "scores"}, whose scores are a teacher's logits.
    teacher: a reranker or a bi-encoder that scores the lists without scores; None where all have some.
    student: what a bi-encoder becomes: a joint reranker, or a cross-encoder with a new head. layers: so many of the
        base's layers are kept, evenly spread; None for all.
    teacher_weight: how much of the loss is the divergence from the teacher's order; the rest is the labels'.
    """

    teacher: str | Path | None = None
    student: Student = "joint"
    layers: int | None = None
    learning_rate: float = 5e-5
    negatives: int = 7
    teacher_weight: float = 1.0
    development: float = 0.1
    max_tokens: int = 160


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(RunOptions):
    """A bi-encoder, from queries with their passages, or from texts with their translations.

    data: what PairsOptions takes, and {"query", "positive"}; or files of {"en": text, "it": text}, one a line.
    learning_rate: None for 3e-5 with queries and 2e-4 with translations.
    teacher: for translations, the encoder whose vectors are put; None for the base as it is before the training.
    teacher_language: the language that the teacher reads; the others' vectors regress to those of its texts.
    join: translations are read alone and, once more, joined to texts of 2 to so many; 1 leaves the joined ones out.
    words_rate: how many times faster the words' vectors move than the layers (translations alone).
    negatives: hard negatives a query, of those that the data has. mini_batch: queries that are encoded at once, so
        that a large batch fits the memory; 0 for the whole batch. teacher_weight: how much of the loss is the
        divergence from the order that the base itself gives the batch's passages.
    development: a part of the queries or texts, held out for the evaluation that chooses the best checkpoint.
    max_tokens: tokens read of a text.
    """

    batch_size: int = 64
    learning_rate: float | None = None  # type: ignore[assignment]  # what the data is decides
    teacher: str | Path | None = None
    teacher_language: str = "en"
    join: int = 4
    words_rate: float = 5.0
    negatives: int = 1
    mini_batch: int = 0
    teacher_weight: float = 0.5
    development: float = 0.1
    max_tokens: int = 128
