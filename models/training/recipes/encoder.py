"""`train encoder`: a bi-encoder from queries with their passages, or from translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from rerank.core.errors import ModelInvalid
from rerank.models.catalog import DEFAULT, resolve
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_encoder
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.json_lines import read_json_lines
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.query_split import QuerySplit
from rerank.models.training.data.ranking_data import CORPUS_FILES, read_training_data
from rerank.models.training.data.ranking_lists import TrainingData
from rerank.models.training.data.text_batches import Side, TextBatches
from rerank.models.training.data.translation_split import TranslationSplit
from rerank.models.training.data.translations import Translations, list_files, read_translations
from rerank.models.training.evaluation import retrieval, translation
from rerank.models.training.losses.contrastive import ContrastiveModule
from rerank.models.training.losses.vector_regression import VectorRegressionModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import EncoderOptions
from rerank.models.training.pretrained import open_tokenizer
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_parameters
from rerank.models.training.task import TrainingTask, prepare_process, train_and_save
from rerank.models.training.text_encoder import TextEncoder, open_text_encoder, save_text_encoder

QUERY_LEARNING_RATE = 3e-5
TRANSLATION_LEARNING_RATE = 2e-4
_USE = "An encoder: texts whose vectors have a high cosine mean the same, or answer each other."


def train_encoder(options: EncoderOptions) -> TrainingReport:
    """Trains a bi-encoder and writes it to `options.output` with the best checkpoint's weights.

    Resumes an interrupted run, and returns the report of a finished one. Raises TrainingDataError for unusable data,
    ModelInvalid or ModelNotFound for base model and teacher, TrainingFailed if the run cannot continue,
    KeyboardInterrupt after Ctrl-C (the checkpoint remains).
    """
    started = prepare_process(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    translated = has_translations(options.data[0], teacher_language=options.teacher_language)
    if not options.learning_rate:
        options = replace(options, learning_rate=TRANSLATION_LEARNING_RATE if translated else QUERY_LEARNING_RATE)
    data: Translations | TrainingData
    if translated:
        data = read_translations(options.data, teacher_language=options.teacher_language)
    else:
        data = read_training_data(options.data, negatives_needed=False)
    base = resolve(DEFAULT if options.base is None else str(options.base), role="encoder")
    identified = options
    if options.teacher is not None:
        identified = replace(options, teacher=resolve(str(options.teacher), role="encoder").fingerprint)
    folder = RunFolder(options.output, run_parameters("encoder", identified, data=data.digests, base=base.fingerprint))
    report = folder.finished_report()
    if report is not None:
        return report
    encoder = _BaseEncoder(base, open_text_encoder(base), open_tokenizer(base))
    if isinstance(data, Translations):
        task = encoder.translation_task(data, options, folder)
    else:
        task = encoder.query_task(data, options, folder)
    return train_and_save(options, folder, task, started=started)


def has_translations(path: Path, *, teacher_language: str) -> bool:
    """Returns True if the first line of *path* has a text in the teacher's language. Raises TrainingDataError."""
    if any((path / name).exists() for name in CORPUS_FILES):
        return False
    _, first = next(iter(read_json_lines(list_files(path)[0])), (0, {}))
    return teacher_language in first


@dataclass(frozen=True)
class _BaseEncoder:
    """Base model, ready for training."""

    folder: ModelFolder
    encoder: TextEncoder
    tokenizer: PreTrainedTokenizerBase

    def translation_task(self, data: Translations, options: EncoderOptions, folder: RunFolder) -> TrainingTask:
        name = self.folder.name if options.teacher is None else str(options.teacher)
        teacher = load_encoder(name, compute=REPRODUCIBLE_COMPUTE)
        if teacher.dim != self.encoder.dim:
            raise ModelInvalid(
                f"The teacher's vectors must have {self.encoder.dim} values, as those of {self.folder.name}; those of"
                f" {teacher.name} have {teacher.dim}. Choose another --teacher or --base."
            )
        split = TranslationSplit.of(data, self, teacher, options=self._limited(options), checkpoints=folder.checkpoints)
        sampler = LengthGroupedSampler(split.train.texts.lengths, batch_size=options.batch_size, seed=options.seed)
        return TrainingTask(
            module=VectorRegressionModule(self.encoder, words_rate=options.words_rate),
            training_set=TrainingSet(size=len(sampler), sampler=sampler, collate=split.train.batch),
            evaluation=lambda: split.held_out.metrics(self.encoder),
            metric=translation.METRIC,
            save=self._save,
            card=self._card(folder, languages=(options.teacher_language, *data.languages)),
        )

    def query_task(self, data: TrainingData, options: EncoderOptions, folder: RunFolder) -> TrainingTask:
        split = QuerySplit.of(data, self, options=self._limited(options))
        sampler = LengthGroupedSampler(split.train.lengths, batch_size=options.batch_size, seed=options.seed)
        return TrainingTask(
            module=ContrastiveModule(
                self.encoder, teacher_weight=options.teacher_weight, mini_batch=options.mini_batch
            ),
            training_set=TrainingSet(size=len(sampler), sampler=sampler, collate=split.train.batch),
            evaluation=lambda: split.held_out.metrics(self.encoder),
            metric=retrieval.METRIC,
            save=self._save,
            card=self._card(folder, languages=self.folder.rerank.languages),
        )

    def tokenize(self, texts: Sequence[str], *, side: Side, max_tokens: int) -> TextBatches:
        """See TextTokenizer."""
        prompt = self.folder.prompts[side]
        return TextBatches([prompt + text for text in texts], self.tokenizer, max_tokens=max_tokens)

    def _limited(self, options: EncoderOptions) -> EncoderOptions:
        return replace(options, max_tokens=min(options.max_tokens, self.folder.max_tokens))

    def _save(self, path: Path) -> None:
        save_text_encoder(self.encoder, self.tokenizer, path, base=self.folder)

    def _card(self, folder: RunFolder, *, languages: Sequence[str]) -> ModelCard:
        return ModelCard(
            title="A bi-encoder",
            kind="encoder",
            architecture="bi-encoder",
            base=self.folder.name,
            max_tokens=self.folder.max_tokens,
            languages=languages,
            run=folder.run,
            use=_USE,
        )
