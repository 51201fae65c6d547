"""`train pairs`: a reranker from judged queries and passages."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import set_seed

from core.errors import TrainingDataError
from models.loading import load_encoder
from models.training.base import Base, open_base
from models.training.batches import ListBatches
from models.training.card import Card
from models.training.length_groups import LengthGroups
from models.training.list_model import ListModel
from models.training.lists import RankingList
from models.training.negatives import complete_lists, cut
from models.training.options import PairsOptions
from models.training.outcome import write_outcome
from models.training.ranking_scores import METRIC, list_logits, log_odds, ranking_scores
from models.training.reading import read_training_data
from models.training.report import TrainingReport
from models.training.run import Examples, RunOutcome, RunSettings, TrainingRun
from models.training.run_folder import RunFolder, run_key

QUERY_TOKENS = 64
SERVED_TOKENS = 512
DEVELOPMENT_NEGATIVES = 9
"""Held-out lists are longer than those learned from, as what is re-ranked is."""
DEVELOPMENT_LISTS = 200
"""At most so many are measured on: an evaluation must not take longer than the steps between two of them."""
_USE = "A reranker: its logit is the log-odds of relevance among the held-out lists, and orders passages for a query."


@dataclass(frozen=True)
class _Course:
    """What is learned from and what is measured on."""

    train: ListBatches
    held_out: ListBatches


def train_pairs(options: PairsOptions) -> TrainingReport:
    """Train a reranker and leave it in `options.output`, with the best checkpoint's weights.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for the base,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = time.monotonic()
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)
    data = read_training_data(options.data)
    base = open_base(options.base)
    folder = RunFolder(options.output, run_key("pairs", options, data=data.digests, base=base.folder.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    lists = complete_lists(
        data,
        load_encoder(base.teacher),
        negatives=max(options.negatives, DEVELOPMENT_NEGATIVES),
        known=options.negatives,
        seed=options.seed,
    )
    course = _course(lists, base, options)
    module = ListModel(base.scorer, teacher_weight=options.teacher_weight)
    before = _scores(base, course)
    outcome = _run(module, base, course, options, folder)
    logits = list_logits(base.scorer, course.held_out)
    base.scorer.stretch(*log_odds(logits, course.held_out))
    report = TrainingReport(
        model=options.output,
        metrics=ranking_scores(logits, course.held_out),
        before=before,
        steps=outcome.steps,
        best_step=outcome.best_step,
        seconds=time.monotonic() - started,
    )
    write_outcome(folder, report, outcome, save=base.save, card=_card(base, folder), metric=METRIC)
    return report


def _run(module: ListModel, base: Base, course: _Course, options: PairsOptions, folder: RunFolder) -> RunOutcome:
    settings = RunSettings.of(options, checkpoints=folder.checkpoints, metric=METRIC)
    order = LengthGroups(course.train.lengths, batch_size=options.batch_size, seed=options.seed)
    examples = Examples(count=len(course.train.lists), order=order, batch=course.train.batch)
    return TrainingRun(module, settings, examples=examples, evaluation=lambda: _scores(base, course)).run()


def _scores(base: Base, course: _Course) -> dict[str, float]:
    base.scorer.eval()
    return ranking_scores(list_logits(base.scorer, course.held_out), course.held_out)


def _course(lists: Sequence[RankingList], base: Base, options: PairsOptions) -> _Course:
    """The lists, divided by query so that no query is both learned from and measured on."""
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
    return _Course(base.batches(train, **limits), base.batches(measured, **limits))


def _card(base: Base, folder: RunFolder) -> Card:
    return Card(
        title=f"A {base.architecture} reranker",
        kind="reranker",
        architecture=base.architecture,
        base=base.folder.name,
        max_tokens=_served_tokens(base),
        languages=base.folder.rerank.languages,
        run=folder.run,
        use=_USE,
    )


def _served_tokens(base: Base) -> int:
    """Tokens of query and passage together that the model may read when it serves."""
    if base.architecture == "cross-encoder":
        return base.folder.max_tokens
    positions = base.folder.config.get("max_position_embeddings")
    return min(SERVED_TOKENS, positions) if isinstance(positions, int) else SERVED_TOKENS
