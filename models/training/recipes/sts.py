"""`train sts`: a similarity model from scored sentence pairs, the symmetric recipe."""

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
from rerank.models.training.losses.ranking import LossOptions
from rerank.models.training.losses.ranking_module import RankingModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import StsOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_key
from rerank.models.training.task import TrainingTask, begin, train_and_save

METRIC = "spearman"
_USE = (
    "A similarity model: the sigmoid of its logit says how alike two sentences are, from 0 to 1. Trained on every pair"
    " in both orders. It judges likeness, not whether a passage answers a query."
)


def train_sts(options: StsOptions) -> TrainingReport:
    """Train a similarity model and leave it in `options.output`; its metrics are those on the test part.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = begin(options)
    options = replace(
        options,
        data=resolve_datasets(
            options.data, layout="sentences", folder=options.output / HUB_FOLDER, language=options.language
        ),
    )
    data = read_sentence_pairs(options.data, language=options.language)
    base = open_base_reranker(options.base, student=options.student)
    folder = RunFolder(options.output, run_key("sts", options, data=data.digests, base=base.folder.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    train, dev, test = (
        batches(part, base, max_tokens=options.max_tokens) for part in (both_orders(data, options), data.dev, data.test)
    )
    if base.architecture == "joint":
        # Its logits come from cosines already: they begin where likeness 0 and 1 lie, and need not get there.
        base.scorer.rescale(*fit_log_odds(held_out_logits(base.scorer, dev), dev))
    order = LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed)
    course = TrainingTask(
        module=RankingModule(base.scorer, LossOptions("pointwise", teacher_weight=0.0)),
        examples=TrainingSet(count=len(train.lists), order=order, batch=train.batch),
        evaluation=lambda: correlations(base, dev),
        measure=lambda: correlations(base, test),
        metric=METRIC,
        save=base.save,
        card=_card(base, folder, options),
    )
    return train_and_save(options, folder, course, started=started)


def batches(pairs: Sequence[SentencePair], base: BaseReranker, *, max_tokens: int) -> ListBatches:
    """*pairs* as *base* reads them, *max_tokens* of both sentences: each a list of one passage."""
    half = max_tokens // 2
    lists = [RankingList(pair.first, (pair.second,), (pair.label,)) for pair in pairs]
    return base.batches(lists, query_tokens=half, max_tokens=half)


def both_orders(data: SentenceData, options: StsOptions) -> list[SentencePair]:
    """Every pair of the train part, and every pair turned round: a likeness has no direction.

    Raises TrainingDataError where they do not fill a batch.
    """
    pairs = [*data.train, *(pair.turned for pair in data.train)]
    if len(pairs) < options.batch_size:
        raise TrainingDataError(
            f"{len(data.train)} pairs make {len(pairs)} rows in both orders, fewer than a batch of"
            f" {options.batch_size}: lower --batch-size, or bring more pairs"
        )
    return pairs


def correlations(base: BaseReranker, pairs: ListBatches) -> dict[str, float]:
    """Pearson's (of the sigmoids) and Spearman's correlation with the true scores."""
    logits = np.concatenate(held_out_logits(base.scorer, pairs))
    labels = np.array([one.labels[0] for one in pairs.lists])
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
