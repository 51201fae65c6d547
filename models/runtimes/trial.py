"""Measurement of the accuracy and the speed of backends on the sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid
from rerank.core.setting_types import Precision, Runtime
from rerank.models.architectures.bi_encoder import BiEncoderNetwork
from rerank.models.architectures.classifier import ClassifierNetwork
from rerank.models.architectures.pair_network import pair_network
from rerank.models.folder import ModelFolder
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.sample import sample
from rerank.models.tokenizer import TextTokenizer

Outputs = NDArray[Any]
MAX_ERROR = 0.2
"""Limit for logits: root mean square of the differences, in standard deviations of the reference's logits."""
MIN_COSINE = 0.98
"""Limit for vectors: lowest cosine of a text's vector with the reference's vector."""
_REPEATS = 2
_STEP = 3
"""Every third sample text is used; half of them are Italian."""


@dataclass(frozen=True)
class Trial:
    """Measurement of a backend.

    error: for logits in the unit of MAX_ERROR, for vectors 1 - the lowest cosine. right: True if the error is within
    the limit.
    """

    runtime: Runtime
    precision: Precision
    texts_a_second: float
    error: float
    right: bool


def run_trials(folder: ModelFolder, runtimes: Sequence[ModelRuntime]) -> list[Trial]:
    """Measures each of *runtimes*; the first is the reference for accuracy.

    Raises ModelInvalid if the reference cannot load the model; skips other runtimes that cannot load it.
    """
    runs: dict[int, Callable[[], Outputs]] = {}
    for i, runtime in enumerate(runtimes):
        try:
            runs[i] = _computation(folder, runtime)
        except ModelInvalid:
            if i == 0:
                raise
    outputs = {i: run() for i, run in runs.items()}
    seconds = {i: min(_seconds(runs[i]) for _ in range(_REPEATS)) for i in runs}
    return [_trial(runtimes[i], computed, outputs[0], seconds[i]) for i, computed in outputs.items()]


def _trial(runtime: ModelRuntime, outputs: Outputs, expected: Outputs, seconds: float) -> Trial:
    if expected.ndim == 1:
        error = float(np.sqrt(np.square(outputs - expected).mean()) / max(float(expected.std()), 1e-6))
        right = error <= MAX_ERROR
    else:
        error = 1 - float((outputs * expected).sum(axis=1).min())
        right = error <= 1 - MIN_COSINE
    return Trial(runtime.name, runtime.precision, round(len(sample()[::_STEP]) / seconds, 1), round(error, 5), right)


def _computation(folder: ModelFolder, runtime: ModelRuntime) -> Callable[[], Outputs]:
    """Loads the model and tokenizes the texts; returns a function that computes (n,) logits or (n, dim) vectors."""
    tokenizer = TextTokenizer.from_folder(folder)
    passages = [folder.prompts["document"] + pair.passage for pair in sample()[::_STEP]]
    if folder.kind == "encoder":
        body = BiEncoderNetwork.from_folder(folder, tokenizer, runtime=runtime)
        ids = sorted(tokenizer.texts(passages, limit=body.max_text_tokens).ids, key=len)
        parts = [ids[i : i + 16] for i in range(0, len(ids), 16)]
        return lambda: np.concatenate([body.vectors(part) for part in parts])
    if folder.architecture == "cross-encoder" and folder.labels > 1:
        labels = ClassifierNetwork.from_folder(folder, tokenizer, runtime=runtime)
        first = tokenizer.texts([sample()[0].query], limit=labels.max_text_tokens(pair=True) // 2).ids[0]
        seconds = tokenizer.texts(passages, limit=labels.max_text_tokens(pair=True) - len(first)).ids
        return lambda: labels.logits([(first, second) for second in seconds]).ravel()
    network = pair_network(folder, tokenizer, runtime=runtime)
    query = folder.prompts["query"] + sample()[0].query
    prepared = network.prepare(tokenizer.texts([query], limit=network.max_query_tokens).ids[0])
    ids = sorted(tokenizer.texts(passages, limit=prepared.max_passage_tokens).ids, key=len)
    parts = [ids[i : i + 16] for i in range(0, len(ids), 16)]
    return lambda: np.concatenate([prepared.logits(part) for part in parts])


def _seconds(run: Callable[[], Outputs]) -> float:
    started_at = time.perf_counter()
    run()
    return time.perf_counter() - started_at
