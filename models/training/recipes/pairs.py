"""`train pairs`: a reranker from judged queries and passages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from rerank.core.errors import TrainingDataError
from rerank.models.computing import REPRODUCIBLE
from rerank.models.loading import load_encoder
from rerank.models.training.base_reranker import BaseReranker, open_base_reranker
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.negatives import build_ranking_lists, cut
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.evaluation.ranking import METRIC, fit_log_odds, held_out_logits, ranking_metrics
from rerank.models.training.losses.ranking import LossOptions
from rerank.models.training.losses.ranking_module import RankingModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import DistillOptions, PairsOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_key
from rerank.models.training.task import TrainingTask, begin, train_and_save

QUERY_TOKENS = 64
DEVELOPMENT_NEGATIVES = 9
"""Held-out lists are longer than those learned from, as what is re-ranked is."""
DEVELOPMENT_LISTS = 200
"""At most so many are measured on: an evaluation must not take longer than the steps between two of them."""
_USE = "A reranker: its logit is the log-odds of relevance among the held-out lists, and orders passages for a query."


def train_pairs(options: PairsOptions) -> TrainingReport:
    """Train a reranker and leave it in `options.output`, with the best checkpoint's weights.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = begin(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    data = read_training_data(options.data)
    base = open_base_reranker(options.base)
    folder = RunFolder(options.output, run_key("pairs", options, data=data.digests, base=base.folder.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    if unlabelled := sum(not any(one.labels) for one in data.lists):
        raise TrainingDataError(
            f"{unlabelled} lists have scores and no labels; `rerank-cli train distill` learns from scores"
        )
    lists = build_ranking_lists(
        data,
        load_encoder(base.teacher, computing=REPRODUCIBLE),
        negatives=max(options.negatives, DEVELOPMENT_NEGATIVES),
        known=options.negatives,
        seed=options.seed,
    )
    train, held_out = divided(lists, base, options)
    order = LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed)
    course = TrainingTask(
        module=RankingModule(base.scorer, LossOptions(options.loss, options.teacher_weight)),
        examples=TrainingSet(count=len(train.lists), order=order, batch=train.batch),
        evaluation=lambda: ranking_metrics(held_out_logits(base.scorer, held_out), held_out),
        afterwards=lambda: base.scorer.rescale(*fit_log_odds(held_out_logits(base.scorer, held_out), held_out)),
        metric=METRIC,
        save=base.save,
        card=reranker_card(base, folder, use=_USE),
    )
    return train_and_save(options, folder, course, started=started)


def divided(
    lists: Sequence[RankingList], base: BaseReranker, options: PairsOptions | DistillOptions
) -> tuple[ListBatches, ListBatches]:
    """Lists to learn from and lists to measure on, divided by query so that none is both.

    Raises TrainingDataError where what is left does not fill a batch.
    """
    queries = sorted({one.query for one in lists})
    random.Random(options.seed).shuffle(queries)
    count = min(DEVELOPMENT_LISTS, max(1, round(options.development * len(queries))))
    held_out = set(queries[:count])
    train = [cut(one, options.negatives) for one in lists if one.query not in held_out]
    if len(train) < options.batch_size:
        raise TrainingDataError(
            f"{len(train)} lists are left to learn from ({len(held_out)} of {len(queries)} queries are held out), fewer"
            f" than a batch of {options.batch_size}: lower --batch-size, or bring more judgments"
        )
    random.Random(options.seed).shuffle(train)
    measured = [one for one in lists if one.query in held_out][:DEVELOPMENT_LISTS]
    limits = {"query_tokens": QUERY_TOKENS, "max_tokens": options.max_tokens}
    return base.batches(train, **limits), base.batches(measured, **limits)


def reranker_card(base: BaseReranker, folder: RunFolder, *, use: str) -> ModelCard:
    """The card of what *base* has become."""
    return ModelCard(
        title=f"A {base.architecture} reranker",
        kind="reranker",
        architecture=base.architecture,
        base=base.folder.name,
        max_tokens=base.served_tokens,
        languages=base.folder.rerank.languages,
        run=folder.run,
        use=use,
    )
