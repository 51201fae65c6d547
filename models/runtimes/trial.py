"""Measurement of accuracy and speed of backends on the sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelInvalid
from rerank.core.settings import Precision, Runtime
from rerank.models.architectures.bi_encoder import BiEncoderNetwork
from rerank.models.architectures.classifier import ClassifierNetwork
from rerank.models.architectures.pair_network import pair_network
from rerank.models.folder import ModelFolder
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.sample import sample
from rerank.models.tokenizer import TextTokenizer

Outputs = NDArray[Any]
MAX_ERROR = 0.2
"""Of logits: root mean square of the differences, in standard deviations of the reference's logits."""
MIN_COSINE = 0.98
"""Of vectors: lowest cosine of a text's vector with the reference's."""
_REPEATS = 2
_EVERY = 3
"""One in this many sample texts is used; half of them are Italian."""


@dataclass(frozen=True)
class Trial:
    """Measurement of a backend. error: of logits as MAX_ERROR, of vectors 1 - the lowest cosine."""

    runtime: Runtime
    precision: Precision
    texts_a_second: float
    error: float
    right: bool


def run_trials(folder: ModelFolder, runtimes: Sequence[ModelRuntime]) -> list[Trial]:
    """Measures each of *runtimes* against the first one, the reference.

    Raises ModelInvalid if the reference cannot load the model; skips other runtimes that cannot.
    """
    runs: dict[int, Callable[[], Outputs]] = {}
    for i, runtime in enumerate(runtimes):
        try:
            runs[i] = _run(folder, runtime)
        except ModelInvalid:
            if i == 0:
                raise
    outputs = {i: run() for i, run in runs.items()}
    seconds = {i: min(_seconds(runs[i]) for _ in range(_REPEATS)) for i in runs}
    return [_trial(runtimes[i], found, outputs[0], seconds[i]) for i, found in outputs.items()]


def _trial(runtime: ModelRuntime, outputs: Outputs, expected: Outputs, seconds: float) -> Trial:
    if expected.ndim == 1:
        error = float(np.sqrt(np.square(outputs - expected).mean()) / max(float(expected.std()), 1e-6))
        right = error <= MAX_ERROR
    else:
        error = 1 - float((outputs * expected).sum(axis=1).min())
        right = error <= 1 - MIN_COSINE
    return Trial(runtime.name, runtime.precision, round(len(sample()[::_EVERY]) / seconds, 1), round(error, 5), right)


def _run(folder: ModelFolder, runtime: ModelRuntime) -> Callable[[], Outputs]:
    """Loads the model and tokenizes the texts; returns a function that computes (n,) logits or (n, dim) vectors."""
    tokenizer = TextTokenizer.from_folder(folder)
    passages = [folder.prompts["document"] + pair.passage for pair in sample()[::_EVERY]]
    if folder.kind == "encoder":
        body = BiEncoderNetwork.from_folder(folder, tokenizer, runtime=runtime)
        ids = sorted(tokenizer.texts(passages, limit=body.max_text_tokens).ids, key=len)
        parts = [ids[i : i + 16] for i in range(0, len(ids), 16)]
        return lambda: np.concatenate([body.vectors(part) for part in parts])
    if folder.architecture == "cross-encoder" and folder.labels > 1:
        labels = ClassifierNetwork.from_folder(folder, tokenizer, runtime=runtime)
        first = tokenizer.texts([sample()[0].query], limit=labels.room(pair=True) // 2).ids[0]
        seconds = tokenizer.texts(passages, limit=labels.room(pair=True) - len(first)).ids
        return lambda: labels.logits([(first, second) for second in seconds]).ravel()
    network = pair_network(folder, tokenizer, runtime=runtime)
    query = folder.prompts["query"] + sample()[0].query
    reading = network.read(tokenizer.texts([query], limit=network.query_room).ids[0])
    ids = sorted(tokenizer.texts(passages, limit=reading.passage_room).ids, key=len)
    parts = [ids[i : i + 16] for i in range(0, len(ids), 16)]
    return lambda: np.concatenate([reading.logits(part) for part in parts])


def _seconds(run: Callable[[], Outputs]) -> float:
    started_at = time.perf_counter()
    run()
    return time.perf_counter() - started_at
