"""What a training run is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ReportProgress = Callable[[int, int, float], None]
"""Called with the step just done, all steps, and the latest loss."""
Language = Literal["it", "en", "both"]


@dataclass(frozen=True, kw_only=True)
class PairsOptions:
    """A reranker from judged pairs of query and passage.

    data: JSON-lines files (plain or gzip) of {"query", "passage", "label"} with labels from 0 to 1, or of {"query",
        "positive", "negatives"}, or BEIR folders with qrels. output: the model folder to write.
    base: None for a joint model from the built-in encoder; else a folder: a bi-encoder (becomes a joint model), a
        joint model, or a cross-encoder.
    development: a part of the queries, held out for the evaluation that chooses the best checkpoint.
    negatives: passages beside the positive in a list. teacher_weight: how much of the loss is the divergence from the
        base encoder's own order; 0 learns from the labels alone.
    max_tokens: tokens read of a passage. keep_checkpoints: the last ones, and the best beside them.
    threads: of the processor; 0 leaves them as they are.
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
    negatives: int = 3
    teacher_weight: float = 0.5
    development: float = 0.1
    max_tokens: int = 160
    evaluate_every: int = 250
    keep_checkpoints: int = 2
    threads: int = 0
    on_progress: ReportProgress | None = None


@dataclass(frozen=True, kw_only=True)
class StsOptions:
    """A similarity cross-encoder from scored sentence pairs: every pair in both orders, label = score / 5.

    data: a folder in the STS benchmark's layout (train, dev and test files, one a language). base: None for the
    built-in encoder's weights, else a folder of a BERT-like encoder or of a cross-encoder with one label.
    """

    data: tuple[Path, ...]
    output: Path
    base: str | Path | None = None
    language: Language = "it"
    epochs: float = 4.0
    max_steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 2e-5
    seed: int = 42
    warmup: float = 0.1
    max_tokens: int = 128
    evaluate_every: int = 500
    keep_checkpoints: int = 2
    threads: int = 0
    on_progress: ReportProgress | None = None
