"""Ranking metrics on held-out lists, and calibration of the logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rerank.models.training.data.list_batches import ListBatches
from rerank.models.training.precision import autocast

METRIC = "ndcg@10"
_BATCH = 16
_NEWTON_STEPS = 30
# Keeps the fit finite if the logits separate relevant and irrelevant passages perfectly.
_RIDGE = 1e-3


def held_out_logits(scorer: nn.Module, held_out: ListBatches) -> list[NDArray[np.float64]]:
    """Returns the logits of each held-out list's passages with the scorer's current weights."""
    scorer.eval()
    logits: list[NDArray[np.float64]] = []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for start in range(0, len(held_out.lists), _BATCH):
        indices = range(start, min(start + _BATCH, len(held_out.lists)))
        batch = {name: value.to(device) for name, value in held_out.batch(indices).items()}
        with torch.inference_mode(), autocast():
            values = scorer(batch).double().cpu().numpy()
        ends = np.cumsum([len(held_out.lists[index].passages) for index in indices])[:-1]
        logits.extend(np.split(values, ends))
    return logits


def ranking_metrics(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> dict[str, float]:
    """Returns the means over the lists of nDCG@10 and reciprocal rank. Equal logits rank irrelevant passages first."""
    gains, reciprocal_ranks = [], []
    for values, ranking_list in zip(logits, held_out.lists, strict=True):
        labels = np.array(ranking_list.labels)
        ranked = labels[np.lexsort((labels, -values))]
        discounts = 1.0 / np.log2(np.arange(2, 2 + min(10, len(labels))))
        ideal = np.sort(labels)[::-1]
        gains.append(float((ranked[:10] * discounts).sum() / (ideal[:10] * discounts).sum()))
        reciprocal_ranks.append(1.0 / (1 + int(np.argmax(ranked > 0))))
    return {METRIC: float(np.mean(gains)), "mrr": float(np.mean(reciprocal_ranks))}


def fit_log_odds(logits: Sequence[NDArray[np.float64]], held_out: ListBatches) -> tuple[float, float]:
    """Returns slope and shift that make slope x logit + shift the log-odds of relevance on the held-out lists.

    Platt's logistic regression, by Newton's method with a ridge penalty. Returns (1, 0) if the slope is not positive.
    """
    x = np.concatenate(logits)
    y = np.concatenate([np.array(ranking_list.labels) for ranking_list in held_out.lists])
    mean, deviation = float(x.mean()), float(x.std()) or 1.0
    design = np.stack([(x - mean) / deviation, np.ones_like(x)], axis=1)
    weights = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        expected = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (expected - y) + _RIDGE * weights
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + _RIDGE * np.eye(2)
        weights = weights - np.linalg.solve(curvature, gradient)
    slope = float(weights[0]) / deviation
    if not np.isfinite(weights).all() or slope <= 0:
        return 1.0, 0.0
    return slope, float(weights[1]) - slope * mean
