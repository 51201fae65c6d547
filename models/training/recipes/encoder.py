"""`train encoder`: a bi-encoder from queries with their passages, or across languages from texts with translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from rerank.core.errors import ModelInvalid
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.computing import REPRODUCIBLE
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_encoder
from rerank.models.training.base_reranker import open_tokenizer
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.json_lines import read_json_lines
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.query_split import QuerySplit
from rerank.models.training.data.ranking_data import CORPUS_FILES, read_training_data
from rerank.models.training.data.ranking_lists import TrainingData
from rerank.models.training.data.text_batches import Side, TextBatches
from rerank.models.training.data.translation_split import TranslationSplit
from rerank.models.training.data.translations import Translations, files_of, read_translations
from rerank.models.training.encoder_folder import save_encoder
from rerank.models.training.losses import contrastive, vector_regression
from rerank.models.training.losses.contrastive import ContrastiveModule
from rerank.models.training.losses.vector_regression import VectorRegressionModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import EncoderOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_key
from rerank.models.training.task import TrainingTask, begin, train_and_save
from rerank.models.training.text_encoder import TextEncoder, open_text_encoder

QUESTION_RATE = 3e-5
TRANSLATION_RATE = 2e-4
_USE = "An encoder: texts with vectors of a high cosine mean the same, or answer each other."


def train_encoder(options: EncoderOptions) -> TrainingReport:
    """Train a bi-encoder and leave it in `options.output`, with the best checkpoint's weights.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = begin(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    translated = are_translations(options.data[0], teacher_language=options.teacher_language)
    if not options.learning_rate:
        options = replace(options, learning_rate=TRANSLATION_RATE if translated else QUESTION_RATE)
    data: Translations | TrainingData
    if translated:
        data = read_translations(options.data, teacher_language=options.teacher_language)
    else:
        data = read_training_data(options.data, negatives_needed=False)
    base = resolve(DEFAULT if options.base is None else str(options.base), role="encoder")
    told = options if options.teacher is None else replace(options, teacher=_fingerprint(options.teacher))
    folder = RunFolder(options.output, run_key("encoder", told, data=data.digests, base=base.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    start = _Start(base, open_text_encoder(base), open_tokenizer(base))
    if isinstance(data, Translations):
        course = start.over_translations(data, options, folder)
    else:
        course = start.over_questions(data, options, folder)
    return train_and_save(options, folder, course, started=started)


def are_translations(path: Path, *, teacher_language: str) -> bool:
    """Whether *path*'s first line has a text in the teacher's language. Raises TrainingDataError."""
    if any((path / name).exists() for name in CORPUS_FILES):
        return False
    _, first = next(iter(read_json_lines(files_of(path)[0])), (0, {}))
    return teacher_language in first


def _fingerprint(encoder: str | Path) -> str:
    return resolve(str(encoder), role="encoder").fingerprint


@dataclass(frozen=True)
class _Start:
    """The base, open for training."""

    base: ModelFolder
    encoder: TextEncoder
    tokenizer: PreTrainedTokenizerBase

    def over_translations(self, data: Translations, options: EncoderOptions, folder: RunFolder) -> TrainingTask:
        named = self.base.name if options.teacher is None else str(options.teacher)
        teacher = load_encoder(named, computing=REPRODUCIBLE)
        if teacher.dim != self.encoder.dim:
            raise ModelInvalid(
                f"the teacher {teacher.name} has vectors of {teacher.dim} values, {self.base.name} of"
                f" {self.encoder.dim}: an encoder can only learn vectors of its own length"
            )
        limited = replace(options, max_tokens=min(options.max_tokens, self.base.max_tokens))
        course = TranslationSplit.of(data, self, teacher, options=limited, checkpoints=folder.checkpoints)
        order = LengthGroupedSampler(course.train.texts.lengths, batch_size=options.batch_size, seed=options.seed)
        return TrainingTask(
            module=VectorRegressionModule(self.encoder, words_rate=options.words_rate),
            examples=TrainingSet(count=len(order), order=order, batch=course.train.batch),
            evaluation=lambda: course.held_out.scores(self.encoder),
            metric=vector_regression.METRIC,
            save=self._save,
            card=self._card(folder, languages=(options.teacher_language, *data.languages)),
        )

    def over_questions(self, data: TrainingData, options: EncoderOptions, folder: RunFolder) -> TrainingTask:
        limited = replace(options, max_tokens=min(options.max_tokens, self.base.max_tokens))
        course = QuerySplit.of(data, self, options=limited)
        order = LengthGroupedSampler(course.train.lengths, batch_size=options.batch_size, seed=options.seed)
        return TrainingTask(
            module=ContrastiveModule(
                self.encoder, teacher_weight=options.teacher_weight, mini_batch=options.mini_batch
            ),
            examples=TrainingSet(count=len(order), order=order, batch=course.train.batch),
            evaluation=lambda: course.held_out.scores(self.encoder),
            metric=contrastive.METRIC,
            save=self._save,
            card=self._card(folder, languages=self.base.rerank.languages),
        )

    def read(self, texts: Sequence[str], *, side: Side, max_tokens: int) -> TextBatches:
        """The texts as the model reads them on that side of a comparison."""
        prompt = self.base.prompts[side]
        return TextBatches([prompt + text for text in texts], self.tokenizer, max_tokens=max_tokens)

    def _save(self, path: Path) -> None:
        save_encoder(self.encoder, self.tokenizer, path, base=self.base)

    def _card(self, folder: RunFolder, *, languages: Sequence[str]) -> ModelCard:
        return ModelCard(
            title="A bi-encoder",
            kind="encoder",
            architecture="bi-encoder",
            base=self.base.name,
            max_tokens=self.base.max_tokens,
            languages=languages,
            run=folder.run,
            use=_USE,
        )
