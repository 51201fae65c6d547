"""`train distill`: a reranker that learns the ranking of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError
from rerank.models.compute_options import REPRODUCIBLE_COMPUTE
from rerank.models.loading import load_encoder
from rerank.models.training.base_reranker import open_base_reranker
from rerank.models.training.data.hub import HUB_FOLDER, resolve_datasets
from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.data.negatives import build_ranking_lists
from rerank.models.training.data.ranking_data import read_training_data
from rerank.models.training.data.ranking_lists import RankingList
from rerank.models.training.data.teacher_scores import ListTeacher, add_teacher_scores
from rerank.models.training.evaluation.correlation import spearman
from rerank.models.training.evaluation.ranking import held_out_logits, ranking_metrics
from rerank.models.training.losses.ranking import LossOptions, RankingModule
from rerank.models.training.options import DistillOptions
from rerank.models.training.recipes.pairs import list_training_set, reranker_card, split_lists
from rerank.models.training.report import TrainingReport
from rerank.models.training.run_folder import RunFolder, run_parameters
from rerank.models.training.task import TrainingTask, prepare_process, train_and_save

METRIC = "spearman"
_USE = "A reranker that ranks passages as its teacher does. Its logit is on the scale of the teacher's scores."


def train_distill(options: DistillOptions) -> TrainingReport:
    """Trains a reranker on a teacher's scores and writes it to `options.output` with the best checkpoint's weights.

    Resumes an interrupted run, and returns the report of a finished one. Raises TrainingDataError for unusable data,
    ModelInvalid or ModelNotFound for base model and teacher, TrainingFailed if the run cannot continue,
    KeyboardInterrupt after Ctrl-C (the checkpoint remains).
    """
    started = prepare_process(options)
    options = replace(options, data=resolve_datasets(options.data, layout="pairs", folder=options.output / HUB_FOLDER))
    data = read_training_data(options.data, negatives_needed=False)
    base = open_base_reranker(options.base, student=options.student)
    if options.layers is not None:
        base.keep_layers(options.layers)
    teacher = None if options.teacher is None else ListTeacher.load(options.teacher)
    identified = options if teacher is None else replace(options, teacher=teacher.fingerprint)
    parameters = run_parameters("distill", identified, data=data.digests, base=base.folder.fingerprint)
    folder = RunFolder(options.output, parameters)
    report = folder.finished_report()
    if report is not None:
        return report
    lists: Sequence[RankingList] = build_ranking_lists(
        data,
        load_encoder(base.teacher, compute=REPRODUCIBLE_COMPUTE),
        negatives=options.negatives,
        max_negatives=options.negatives,
        seed=options.seed,
    )
    if teacher is not None:
        lists = add_teacher_scores(lists, teacher, checkpoints=folder.checkpoints, report=options.on_preparation)
    train, held_out = split_lists(scores_as_teacher(lists), base, options)
    task = TrainingTask(
        module=RankingModule(base.scorer, LossOptions(teacher_weight=options.teacher_weight, teacher_scale=1.0)),
        training_set=list_training_set(train, options),
        evaluation=lambda: agreement(held_out_logits(base.scorer, held_out), held_out),
        finalize=lambda: base.scorer.rescale(*fit_teacher_scale(held_out_logits(base.scorer, held_out), held_out)),
        metric=METRIC,
        save=base.save,
        card=reranker_card(base, folder, use=_USE),
    )
    return train_and_save(options, folder, task, started=started)


def scores_as_teacher(lists: Sequence[RankingList]) -> list[RankingList]:
    """Returns the lists with their scores as the teacher's values. Raises TrainingDataError if a list has no scores."""
    missing = sum(not ranking_list.scores for ranking_list in lists)
    if missing:
        raise TrainingDataError(
            f"{missing} of {len(lists)} lists have no scores. Name a --teacher that scores them, or use lines of"
            ' {"query", "passages", "scores"}.'
        )
    return [replace(ranking_list, teacher=ranking_list.scores) for ranking_list in lists]


def agreement(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> dict[str, float]:
    """Returns the agreement with the teacher on held-out lists.

    `spearman`: mean rank correlation within a list. `first`: fraction of the lists with the same first passage. If all
    lists have labels, also the ranking metrics.
    """
    scores = [np.array(ranking_list.scores) for ranking_list in held_out.lists]
    pairs = list(zip(logits, scores, strict=True))
    metrics = {
        METRIC: float(np.mean([spearman(predicted, true) for predicted, true in pairs])),
        "first": float(np.mean([predicted.argmax() == true.argmax() for predicted, true in pairs])),
    }
    if all(any(ranking_list.labels) for ranking_list in held_out.lists):
        metrics.update(ranking_metrics(logits, held_out))
    return metrics


def fit_teacher_scale(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> tuple[float, float]:
    """Returns slope and shift that bring the logits closest to the teacher's scores, by least squares.

    Returns (1, 0) if the slope is not positive.
    """
    x = np.concatenate(logits)
    y = np.concatenate([np.array(ranking_list.scores) for ranking_list in held_out.lists])
    variance = float(x.var())
    slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 0 else 0.0
    return (slope, float(y.mean() - slope * x.mean())) if slope > 0 else (1.0, 0.0)
