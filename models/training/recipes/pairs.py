"""`train pairs`: a reranker from labelled pairs of query and passage."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from rerank.core.errors import TrainingDataError
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.loading import load_encoder
from rerank.models.training.base_reranker import BaseReranker, open_base_reranker
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.negatives import build_ranking_lists, keep_negatives
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import RankingList, TrainingData
from rerank.models.training.evaluation.ranking import METRIC, fit_log_odds, held_out_logits, ranking_metrics
from rerank.models.training.losses.ranking import LossOptions, RankingModule
from rerank.models.training.model_card import ModelCard
from rerank.models.training.options import DistillOptions, PairsOptions
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_parameters
from rerank.models.training.task import TrainingTask, prepare_process, train_and_save

QUERY_TOKENS = 64
HELD_OUT_NEGATIVES = 9
"""Number of negatives in held-out lists, which are longer than training lists, as served lists are."""
MAX_HELD_OUT = 200
"""Maximum number of held-out lists, so that an evaluation takes less time than the steps between two of them."""
_USE = (
    "A reranker: it ranks passages for a query. On the held-out lists, its logit is the log-odds that a passage is"
    " relevant."
)


def train_pairs(options: PairsOptions) -> TrainingReport:
    """Trains a reranker and writes it to `options.output` with the best checkpoint's weights.

    Resumes an interrupted run, and returns the report of a finished one. Raises TrainingDataError for unusable data,
    ModelInvalid or ModelNotFound for the base model, TrainingFailed if the run cannot continue, KeyboardInterrupt after
    Ctrl-C (the checkpoint remains).
    """
    started = prepare_process(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    data = read_training_data(options.data)
    base = open_base_reranker(options.base)
    parameters = run_parameters("pairs", options, data=data.digests, base=base.folder.fingerprint)
    folder = RunFolder(options.output, parameters)
    report = folder.finished_report()
    if report is not None:
        return report
    lists = build_ranking_lists(
        _without_scores(data),
        load_encoder(base.teacher, compute=REPRODUCIBLE_COMPUTE),
        negatives=max(options.negatives, HELD_OUT_NEGATIVES),
        max_negatives=options.negatives,
        seed=options.seed,
    )
    train, held_out = split_lists(lists, base, options)
    task = TrainingTask(
        module=RankingModule(base.scorer, LossOptions(options.loss, options.teacher_weight)),
        training_set=list_training_set(train, options),
        evaluation=lambda: ranking_metrics(held_out_logits(base.scorer, held_out), held_out),
        finalize=lambda: base.scorer.rescale(*fit_log_odds(held_out_logits(base.scorer, held_out), held_out)),
        metric=METRIC,
        save=base.save,
        card=reranker_card(base, folder, use=_USE),
    )
    return train_and_save(options, folder, task, started=started)


def split_lists(
    lists: Sequence[RankingList], base: BaseReranker, options: PairsOptions | DistillOptions
) -> tuple[ListBatches, ListBatches]:
    """Returns training lists and held-out lists, tokenized. No query is in both.

    Raises TrainingDataError if the training part does not fill a batch.
    """
    queries = sorted({ranking_list.query for ranking_list in lists})
    random.Random(options.seed).shuffle(queries)
    count = min(MAX_HELD_OUT, max(1, round(options.development * len(queries))))
    held_out_queries = set(queries[:count])
    train = [
        keep_negatives(ranking_list, options.negatives)
        for ranking_list in lists
        if ranking_list.query not in held_out_queries
    ]
    if len(train) < options.batch_size:
        raise TrainingDataError(
            f"The training part has {len(train)} lists ({len(held_out_queries)} of {len(queries)} queries are held"
            f" out), fewer than a batch of {options.batch_size}. Lower --batch-size or add data."
        )
    random.Random(options.seed).shuffle(train)
    held_out = [ranking_list for ranking_list in lists if ranking_list.query in held_out_queries][:MAX_HELD_OUT]
    limits = {"query_tokens": QUERY_TOKENS, "max_tokens": options.max_tokens}
    return base.batches(train, **limits), base.batches(held_out, **limits)


def list_training_set(train: ListBatches, options: PairsOptions | DistillOptions) -> TrainingSet:
    """Returns the training set of *train*, in batches of similar length."""
    sampler = LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed)
    return TrainingSet(size=len(train.lists), sampler=sampler, collate=train.batch)


def reranker_card(base: BaseReranker, folder: RunFolder, *, use: str) -> ModelCard:
    """Returns the model card of a reranker trained from *base*."""
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


def _without_scores(data: TrainingData) -> TrainingData:
    """Returns *data* without a teacher's scores. Raises TrainingDataError if a list has no labels."""
    if unlabelled := sum(not any(ranking_list.labels) for ranking_list in data.lists):
        raise TrainingDataError(
            f"{unlabelled} of {len(data.lists)} lists have scores but no labels. Use `rerank-cli train distill` to"
            " learn from scores."
        )
    return replace(data, lists=tuple(replace(ranking_list, scores=()) for ranking_list in data.lists))
