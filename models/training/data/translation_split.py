"""Training and held-out translations for an encoder."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rerank.core.errors import TrainingDataError
from rerank.core.protocols import Encoder
from rerank.models.training.data.resumable_array import load_or_compute_array
from rerank.models.training.data.text_batches import TextTokenizer
from rerank.models.training.data.translation_batches import AlignedTexts, RegressionBatches, TargetVectors
from rerank.models.training.data.translations import Translation, Translations, join_translations
from rerank.models.training.evaluation.translation import HeldOutTranslations
from rerank.models.training.options import EncoderOptions, ReportPreparation

MAX_HELD_OUT = 1000
"""Maximum number of held-out texts."""
_CHUNK = 2048
_TEACHER_FILE = "teacher.f16"


@dataclass(frozen=True)
class TranslationSplit:
    """Batches for training, and held-out translations for the evaluation."""

    train: RegressionBatches
    held_out: HeldOutTranslations

    @classmethod
    def of(
        cls,
        data: Translations,
        tokenizer: TextTokenizer,
        teacher: Encoder,
        *,
        options: EncoderOptions,
        checkpoints: Path,
    ) -> TranslationSplit:
        """Splits *data* by source text and encodes the source texts with *teacher*.

        The teacher's vectors are stored in *checkpoints*, so that a resumed run does not compute them again. Raises
        TrainingDataError if the training part does not fill a batch.
        """
        rows, held_out_rows = split_translations(data.rows, options)
        train = AlignedTexts.of([*rows, *join_translations(rows, most=options.join, seed=options.seed)])
        if len(train.texts) < options.batch_size:
            raise TrainingDataError(
                f"The training part has {len(train.texts)} texts, fewer than a batch of {options.batch_size}. Lower"
                " --batch-size or add translations."
            )
        held_out = AlignedTexts.of(held_out_rows)
        targets = _encode_sources(
            [*train.sources, *held_out.sources],
            teacher,
            file=checkpoints / _TEACHER_FILE,
            report=options.on_preparation,
        )
        count = len(train.sources)
        texts, held_out_texts = (
            tokenizer.tokenize(part.texts, side="document", max_tokens=options.max_tokens) for part in (train, held_out)
        )
        return cls(
            RegressionBatches(texts, train.rows, targets[:count]),
            HeldOutTranslations(held_out_texts, held_out, targets[count:]),
        )


def split_translations(
    rows: Sequence[Translation], options: EncoderOptions
) -> tuple[list[Translation], list[Translation]]:
    """Returns shuffled training rows, and held-out rows. No source text is in both."""
    draw = random.Random(options.seed)
    translated = sorted({row.source for row in rows if row.other})
    draw.shuffle(translated)
    count = min(MAX_HELD_OUT, max(1, round(options.development * len(translated))), len(translated) - 1)
    held_out = set(translated[:count])
    train = [row for row in rows if row.source not in held_out]
    draw.shuffle(train)
    return train, [row for row in rows if row.source in held_out and row.other]


def _encode_sources(
    texts: Sequence[str], teacher: Encoder, *, file: Path, report: ReportPreparation | None
) -> TargetVectors:
    """Returns the teacher's vectors, float16 (n, dim). The rounding is a thousandth of the distances to learn."""

    def encode_from(done: int) -> Iterator[TargetVectors]:
        for start in range(done, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            yield teacher.encode_documents(chunk).astype(np.float16)
            if report:
                report("texts encoded by the teacher", start + len(chunk), len(texts))

    return load_or_compute_array(file, (len(texts), teacher.dim), np.float16, encode_from)
