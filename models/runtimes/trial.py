"""Ways of computing a model, tried on the sample: do they answer right, and how fast?"""

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

Answers = NDArray[Any]
MAX_ERROR = 0.2
"""Of logits: the root mean square of the differences, in standard deviations of the reference's logits."""
MIN_COSINE = 0.98
"""Of vectors: the least cosine of a text's two vectors."""
_TURNS = 2
_EVERY = 3
"""Of the sample's texts, one in so many is enough: half of them Italian."""


@dataclass(frozen=True)
class Trial:
    """How one way did. error: of logits as LARGEST_ERROR, of vectors 1 - the least cosine."""

    runtime: Runtime
    precision: Precision
    texts_a_second: float
    error: float
    right: bool


def run_trials(folder: ModelFolder, runtimes: Sequence[ModelRuntime]) -> list[Trial]:
    """Each of *runtimes* beside the first one, which is the reference, in turns.

    Raises ModelInvalid where the reference cannot load the model; another that cannot is left out.
    """
    runs: dict[int, Callable[[], Answers]] = {}
    for i, runtime in enumerate(runtimes):
        try:
            runs[i] = _run(folder, runtime)
        except ModelInvalid:
            if i == 0:
                raise
    answers = {i: run() for i, run in runs.items()}
    seconds = {i: min(_seconds(runs[i]) for _ in range(_TURNS)) for i in runs}
    return [_trial(runtimes[i], found, answers[0], seconds[i]) for i, found in answers.items()]


def _trial(runtime: ModelRuntime, answers: Answers, expected: Answers, seconds: float) -> Trial:
    if expected.ndim == 1:
        error = float(np.sqrt(np.square(answers - expected).mean()) / max(float(expected.std()), 1e-6))
        right = error <= MAX_ERROR
    else:
        error = 1 - float((answers * expected).sum(axis=1).min())
        right = error <= 1 - MIN_COSINE
    return Trial(runtime.name, runtime.precision, round(len(sample()[::_EVERY]) / seconds, 1), round(error, 5), right)


def _run(folder: ModelFolder, runtime: ModelRuntime) -> Callable[[], Answers]:
    """Loads the model and reads the texts; what is returned computes the answers: (n,) logits or (n, dim) vectors."""
    tokenizer = TextTokenizer.from_folder(folder)
    passages = [folder.prompts["document"] + pair.passage for pair in sample()[::_EVERY]]
    if folder.kind == "encoder":
        body = BiEncoderNetwork.from_folder(folder, tokenizer, runtime=runtime)
        ids = sorted(tokenizer.texts(passages, limit=body.text_room).ids, key=len)
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


def _seconds(run: Callable[[], Answers]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
