"""The course of an encoder over translations: which texts are learned, which measured, and where they are to be put."""

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
from rerank.models.training.data.translations import Translation, Translations, joined
from rerank.models.training.losses.vector_regression import (
    HeldOutTranslations,
    RegressionBatches,
    TargetedTexts,
    Targets,
)
from rerank.models.training.options import EncoderOptions, ReportPreparation

HELD_OUT = 1000
"""At most so many texts are measured on."""
_ENCODED_AT_ONCE = 2048
_TEACHER_FILE = "teacher.f16"


@dataclass(frozen=True)
class TranslationSplit:
    """Batches to learn from, and the texts that are held out."""

    train: RegressionBatches
    held_out: HeldOutTranslations

    @classmethod
    def of(
        cls,
        data: Translations,
        reader: TextTokenizer,
        teacher: Encoder,
        *,
        options: EncoderOptions,
        checkpoints: Path,
    ) -> TranslationSplit:
        """Divide *data* by source, so that no text is both learned and measured on, and let the teacher read it.

        The teacher's vectors are kept in *checkpoints*: a run that goes on does not wait for them again. Raises
        TrainingDataError where what is left does not fill a batch.
        """
        rows, measured = divided(data.rows, options)
        learned = TargetedTexts.of([*rows, *joined(rows, most=options.join, seed=options.seed)])
        if len(learned.texts) < options.batch_size:
            raise TrainingDataError(
                f"{len(learned.texts)} texts are left to learn from, fewer than a batch of {options.batch_size}: lower"
                " --batch-size, or bring more translations"
            )
        held_out = TargetedTexts.of(measured)
        targets = _targets(
            [*learned.sources, *held_out.sources],
            teacher,
            file=checkpoints / _TEACHER_FILE,
            report=options.on_preparation,
        )
        count = len(learned.sources)
        texts, measured_texts = (
            reader.read(part.texts, side="document", max_tokens=options.max_tokens) for part in (learned, held_out)
        )
        return cls(
            RegressionBatches(texts, learned.rows, targets[:count]),
            HeldOutTranslations(measured_texts, held_out, targets[count:]),
        )


def divided(rows: Sequence[Translation], options: EncoderOptions) -> tuple[list[Translation], list[Translation]]:
    """Rows to learn from, in an order drawn by the seed, and rows to measure on, all of other sources."""
    draw = random.Random(options.seed)
    translated = sorted({row.source for row in rows if row.other})
    draw.shuffle(translated)
    count = min(HELD_OUT, max(1, round(options.development * len(translated))), len(translated) - 1)
    held_out = set(translated[:count])
    train = [row for row in rows if row.source not in held_out]
    draw.shuffle(train)
    return train, [row for row in rows if row.source in held_out and row.other]


def _targets(texts: Sequence[str], teacher: Encoder, *, file: Path, report: ReportPreparation | None) -> Targets:
    """The teacher's vectors, float16 (n, dim): their rounding is a thousandth of the distances that are learned."""

    def parts(done: int) -> Iterator[Targets]:
        for start in range(done, len(texts), _ENCODED_AT_ONCE):
            part = texts[start : start + _ENCODED_AT_ONCE]
            yield teacher.encode_documents(part).astype(np.float16)
            if report:
                report("texts read by the teacher", start + len(part), len(texts))

    return load_or_compute_array(file, (len(texts), teacher.dim), np.float16, parts)
