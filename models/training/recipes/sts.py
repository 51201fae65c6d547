"""`train sts`: a similarity model from scored sentence pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rerank.core.errors import TrainingDataError
from rerank.core.fusion import sigmoid
from rerank.models.training.base_reranker import BaseReranker, open_base_reranker
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.sentence_pairs import SentenceData, SentencePair, read_sentence_pairs
from rerank.models.training.evaluation.correlation import pearson, spearman
from rerank.models.training.evaluation.ranking import fit_log_odds, held_out_logits
from rerank.models.training.losses.ranking import LossOptions, RankingModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import StsOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_parameters
from rerank.models.training.task import TrainingTask, prepare_process, train_and_save

METRIC = "spearman"
_USE = (
    "A similarity model: the sigmoid of its logit is the similarity of two sentences, from 0 to 1. It is trained on"
    " every pair in both orders. It judges similarity, not whether a passage answers a query."
)


def train_sts(options: StsOptions) -> TrainingReport:
    """Trains a similarity model and writes it to `options.output`. The report has the metrics of the test part.

    Resumes an interrupted run, and returns the report of a finished one. Raises TrainingDataError for unusable data,
    ModelInvalid or ModelNotFound for the base model, TrainingFailed if the run cannot continue, KeyboardInterrupt after
    Ctrl-C (the checkpoint remains).
    """
    started = prepare_process(options)
    folders = resolve_datasets(
        options.data, layout="sentences", folder=options.output / HUB_FOLDER, language=options.language
    )
    options = replace(options, data=folders)
    data = read_sentence_pairs(options.data, language=options.language)
    base = open_base_reranker(options.base, student=options.student)
    parameters = run_parameters("sts", options, data=data.digests, base=base.folder.fingerprint)
    folder = RunFolder(options.output, parameters)
    report = folder.finished_report()
    if report is not None:
        return report
    train, dev, test = (
        tokenize_pairs(part, base, max_tokens=options.max_tokens)
        for part in (both_orders(data, options), data.dev, data.test)
    )
    if base.architecture == "joint":
        # Its logits already follow the cosine; starting on the scale of the labels saves training steps.
        base.scorer.rescale(*fit_log_odds(held_out_logits(base.scorer, dev), dev))
    sampler = LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed)
    task = TrainingTask(
        module=RankingModule(base.scorer, LossOptions("pointwise", teacher_weight=0.0)),
        training_set=TrainingSet(size=len(train.lists), sampler=sampler, collate=train.batch),
        evaluation=lambda: correlations(base, dev),
        final_evaluation=lambda: correlations(base, test),
        metric=METRIC,
        save=base.save,
        card=_card(base, folder, options),
    )
    return train_and_save(options, folder, task, started=started)


def tokenize_pairs(pairs: Sequence[SentencePair], base: BaseReranker, *, max_tokens: int) -> ListBatches:
    """Returns each pair as a tokenized list of one passage. *max_tokens* limits both sentences together."""
    half = max_tokens // 2
    lists = [RankingList(pair.first, (pair.second,), (pair.label,)) for pair in pairs]
    return base.batches(lists, query_tokens=half, max_tokens=half)


def both_orders(data: SentenceData, options: StsOptions) -> list[SentencePair]:
    """Returns the training pairs in both orders, because similarity is symmetric.

    Raises TrainingDataError if they do not fill a batch.
    """
    pairs = [*data.train, *(pair.swapped for pair in data.train)]
    if len(pairs) < options.batch_size:
        raise TrainingDataError(
            f"The training part has {len(data.train)} pairs, {len(pairs)} in both orders, fewer than a batch of"
            f" {options.batch_size}. Lower --batch-size or add pairs."
        )
    return pairs


def correlations(base: BaseReranker, pairs: ListBatches) -> dict[str, float]:
    """Returns Pearson's correlation of the sigmoids, and Spearman's of the logits, with the true similarities."""
    logits = np.concatenate(held_out_logits(base.scorer, pairs))
    labels = np.array([ranking_list.labels[0] for ranking_list in pairs.lists])
    return {"pearson": pearson(sigmoid(logits), labels), METRIC: spearman(logits, labels)}


def _card(base: BaseReranker, folder: RunFolder, options: StsOptions) -> ModelCard:
    return ModelCard(
        title=f"A similarity model ({base.architecture})",
        kind="similarity",
        architecture=base.architecture,
        base=base.folder.name,
        max_tokens=base.served_tokens,
        languages=("it", "en") if options.language == "both" else (options.language,),
        run=folder.run,
        use=_USE,
    )
