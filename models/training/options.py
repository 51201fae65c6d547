"""Options of the recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ReportProgress = Callable[[int, int, float], None]
"""Callback with the number of completed steps, the number of all steps, and the latest loss."""
ReportPreparation = Callable[[str, int, int], None]
"""Callback before the first step with a description of the work, the number of completed items, and of all items."""
Language = Literal["it", "en", "both"]
Loss = Literal["listwise", "pairwise", "pointwise"]
Student = Literal["joint", "cross-encoder"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of every recipe.

    data: training files and folders, in a format that the recipe accepts. output: model folder to write. base: base
    model; None for the built-in encoder.
    epochs: number of epochs. max_steps: maximum number of steps; None for no limit. batch_size: examples per step and
    process. learning_rate: peak learning rate; it falls linearly to 0. warmup: fraction of the steps during which the
    learning rate rises. evaluate_every: number of steps between two evaluations, each with a checkpoint.
    keep_checkpoints: number of latest checkpoints to keep besides the best one. threads: number of CPU threads; 0 for
    PyTorch's default.
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
    """Options of `train pairs`: a reranker from labelled pairs of query and passage.

    data: JSON Lines files in any of the formats of `data.row_formats`, or BEIR folders with qrels.
    base: None for a joint reranker from the built-in encoder; otherwise a bi-encoder, which is converted to a joint
        reranker, a joint reranker, or a cross-encoder.
    development: fraction of the queries held out to choose the best checkpoint.
    loss: loss on the labels. negatives: number of negatives per positive.
    teacher_weight: weight of the divergence from the base encoder's ranking in the loss, 0 to 1; 0 uses labels only.
    max_tokens: maximum number of tokens of a passage.
    """

    loss: Loss = "listwise"
    negatives: int = 3
    teacher_weight: float = 0.5
    development: float = 0.1
    max_tokens: int = 160


@dataclass(frozen=True, kw_only=True)
class StsOptions(RunOptions):
    """Options of `train sts`: a similarity model from scored sentence pairs, in both orders, with label score / 5.

    data: folders in the layout of the STS benchmark: train, dev and test files. base: None for the built-in encoder;
    otherwise a BERT-like encoder or a reranker with one label. student: architecture that a bi-encoder is converted to.
    language: language of the pairs to read. max_tokens: maximum number of tokens of both sentences together.
    """

    student: Student = "cross-encoder"
    language: Language = "it"
    epochs: float = 4.0
    learning_rate: float = 2e-5
    max_tokens: int = 128
    evaluate_every: int = 500


@dataclass(frozen=True, kw_only=True)
class NliOptions(RunOptions):
    """Options of `train nli`: a classifier of premise and hypothesis.

    data: files of {"premise", "hypothesis", "label"}, or folders with files named after train, dev or test.
    language: files whose name starts with another language's code, such as en_dev.jsonl, are skipped.
    development: fraction of the premises held out if there is no dev file.
    max_tokens: maximum number of tokens of both texts together.
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
    """Options of `train distill`: a reranker that learns another model's scores.

    data: the formats of PairsOptions; formats with a score per passage need no teacher.
    teacher: reranker or bi-encoder that scores the lists without scores; None if all lists have scores.
    student: architecture that a bi-encoder is converted to. layers: number of the base model's layers to keep, evenly
        spread; None for all.
    negatives: number of negatives per positive, for data without scores.
    teacher_weight: weight of the divergence from the teacher's ranking in the loss, 0 to 1; the rest is the labels'.
    development: fraction of the queries held out to choose the best checkpoint.
    max_tokens: maximum number of tokens of a passage.
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
    """Options of `train encoder`: a bi-encoder from queries with their passages, or from translations.

    data: the formats of PairsOptions; negatives are optional. Or files of {"en": text, "it": text}, one pair per line.
    learning_rate: None for 3e-5 with queries and 2e-4 with translations.
    teacher: encoder whose vectors are learned from translations; None for the base model.
    teacher_language: language of the texts that the teacher encodes. The vectors of the other languages' texts are
        regressed to the vectors of their translations in this language.
    join: maximum number of translations that are joined to a longer text; 1 joins none. Every translation is also
        learned alone.
    words_rate: learning rate of the word embeddings relative to the layers (translations only).
    negatives: maximum number of hard negatives per query. mini_batch: number of queries to encode at once, which saves
        memory with a large batch; 0 for the whole batch. teacher_weight: weight of the divergence from the base
        model's ranking of the batch's passages in the loss, 0 to 1 (queries only).
    development: fraction of the queries or texts held out to choose the best checkpoint.
    max_tokens: maximum number of tokens of a text.
    """

    batch_size: int = 64
    learning_rate: float | None = None  # type: ignore[assignment]  # the default depends on the data
    teacher: str | Path | None = None
    teacher_language: str = "en"
    join: int = 4
    words_rate: float = 5.0
    negatives: int = 1
    mini_batch: int = 0
    teacher_weight: float = 0.5
    development: float = 0.1
    max_tokens: int = 128
