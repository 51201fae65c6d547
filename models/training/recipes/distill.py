"""`train distill`: a reranker that learns to order as a teacher does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError
from rerank.models.computing import REPRODUCIBLE
from rerank.models.loading import load_encoder
from rerank.models.training.base_reranker import open_base_reranker
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.length_grouped_sampler import LengthGroupedSampler
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.negatives import build_ranking_lists
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.teacher_scores import ListTeacher, add_teacher_scores
from rerank.models.training.evaluation.correlation import spearman
from rerank.models.training.evaluation.ranking import held_out_logits, ranking_metrics
from rerank.models.training.losses.ranking import LossOptions
from rerank.models.training.losses.ranking_module import RankingModule
from rerank.models.training.options import DistillOptions
from rerank.models.training.recipes.pairs import divided, reranker_card
from rerank.models.training.report import TrainingReport
from rerank.models.training.run import TrainingSet
from rerank.models.training.run_folder import RunFolder, run_key
from rerank.models.training.task import TrainingTask, begin, train_and_save

METRIC = "spearman"
_USE = "A reranker that orders passages as its teacher does; its logit is on the teacher's scale."


def train_distill(options: DistillOptions) -> TrainingReport:
    """Train a reranker on a teacher's scores and leave it in `options.output`, with the best checkpoint's weights.

    A run that was broken off goes on from its last checkpoint, a finished one answers its report again. Raises
    TrainingDataError for data that no model can be made from, ModelInvalid or ModelNotFound for base and teacher,
    TrainingFailed when the run has to stop, KeyboardInterrupt after Ctrl-C (the checkpoint is kept).
    """
    started = begin(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    data = read_training_data(options.data, negatives_needed=False)
    base = open_base_reranker(options.base, student=options.student)
    if options.layers is not None:
        base.keep_layers(options.layers)
    teacher = None if options.teacher is None else ListTeacher.named(options.teacher)
    told = options if teacher is None else replace(options, teacher=teacher.fingerprint)
    folder = RunFolder(options.output, run_key("distill", told, data=data.digests, base=base.folder.fingerprint))
    finished = folder.finished()
    if finished is not None:
        return finished
    negatives = options.negatives
    lists: Sequence[RankingList] = build_ranking_lists(
        data,
        load_encoder(base.teacher, computing=REPRODUCIBLE),
        negatives=negatives,
        known=negatives,
        seed=options.seed,
    )
    if teacher is not None:
        lists = add_teacher_scores(lists, teacher, checkpoints=folder.checkpoints, report=options.on_preparation)
    train, held_out = divided(learnable(lists), base, options)
    order = LengthGroupedSampler(train.lengths, batch_size=options.batch_size, seed=options.seed)
    course = TrainingTask(
        module=RankingModule(base.scorer, LossOptions(teacher_weight=options.teacher_weight, teacher_scale=1.0)),
        examples=TrainingSet(count=len(train.lists), order=order, batch=train.batch),
        evaluation=lambda: agreement(held_out_logits(base.scorer, held_out), held_out),
        afterwards=lambda: base.scorer.rescale(*scale_of_teacher(held_out_logits(base.scorer, held_out), held_out)),
        metric=METRIC,
        save=base.save,
        card=reranker_card(base, folder, use=_USE),
    )
    return train_and_save(options, folder, course, started=started)


def learnable(lists: Sequence[RankingList]) -> list[RankingList]:
    """The lists with their scores as what is learned. Raises TrainingDataError where there is one without."""
    without = sum(not one.scores for one in lists)
    if without:
        raise TrainingDataError(
            f"{without} of {len(lists)} lists have no scores: name a --teacher that scores them, or bring lines of"
            ' {"query", "passages", "scores"}'
        )
    return [replace(one, teacher=one.scores) for one in lists]


def agreement(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> dict[str, float]:
    """`spearman`: the mean correlation of the ranks in a list with the teacher's; `first`: how often both have the same
    passage first; and the scores by the labels, where every list has one above 0."""
    teachers = [np.array(one.scores) for one in held_out.lists]
    both = list(zip(logits, teachers, strict=True))
    scores = {
        METRIC: float(np.mean([spearman(said, taught) for said, taught in both])),
        "first": float(np.mean([said.argmax() == taught.argmax() for said, taught in both])),
    }
    if all(any(one.labels) for one in held_out.lists):
        scores.update(ranking_metrics(list(logits), held_out))
    return scores


def scale_of_teacher(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> tuple[float, float]:
    """Slope above 0 and shift that bring the logits nearest to the teacher's scores; (1, 0) where none does."""
    said = np.concatenate(logits)
    taught = np.concatenate([np.array(one.scores) for one in held_out.lists])
    variance = float(said.var())
    slope = float(((said - said.mean()) * (taught - taught.mean())).mean()) / variance if variance > 0 else 0.0
    return (slope, float(taught.mean() - slope * said.mean())) if slope > 0 else (1.0, 0.0)
