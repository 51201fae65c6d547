"""Models for pairs of texts: classifiers with several labels, rerankers and similarity models with one score."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import Calibration, probabilities
from rerank.core.errors import InvalidRequest, ModelError, ModelInvalid, ModelOutputInvalid
from rerank.core.pairs import PairModel, PairPredictions, TextPair
from rerank.core.protocols import Reranker
from rerank.core.ranking import RankingModels
from rerank.models.architectures.classifier import ClassifierNetwork
from rerank.models.catalog import check_role, resolve
from rerank.models.compute_options import AUTO_COMPUTE, ComputeOptions
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_ranking_model
from rerank.models.public_names import PublicNames
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.choice import runtime_for
from rerank.models.tokenizer import Ids, TextTokenizer

_BATCH_SIZE = 16


class RerankerPairModel:
    """PairModel over a reranker or a similarity model: one label, whose probability is the calibrated score."""

    def __init__(self, reranker: Reranker, *, label: str, calibration: Calibration) -> None:
        self.name = reranker.name
        self._reranker = reranker
        self._label = label
        self._calibration = calibration

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """Returns predictions; scores pairs with the same first text together."""
        logits = np.zeros(len(pairs), dtype=np.float32)
        truncated = np.zeros(len(pairs), dtype=np.bool_)
        groups: dict[str, list[int]] = {}
        for position, (first, _) in enumerate(pairs):
            groups.setdefault(first, []).append(position)
        for first, group in groups.items():
            scores = self._reranker.score(first, [self._second(pairs[position], position) for position in group])
            logits[group] = scores.logits
            truncated[group] = scores.truncated | scores.query_truncated
        calibrated = probabilities(self._calibration.log_odds(logits.astype(np.float64), {}))
        return PairPredictions((self._label,), logits[:, None], calibrated[:, None], truncated)

    def _second(self, pair: TextPair, position: int) -> str:
        if pair[1] is None:
            raise InvalidRequest(
                f"input {position + 1} must be a pair, got one text: {self.name} scores pairs. Send [text, text]",
                field="inputs",
            )
        return pair[1]


class ClassifierPairModel:
    """Thread-safe PairModel over a classifier. It serves one thread at a time."""

    def __init__(self, folder: ModelFolder, *, runtime: ModelRuntime | None = None) -> None:
        """Loads the folder's network into *runtime*, by default the fastest one on this machine.

        Raises ModelInvalid for a folder without a valid classifier.
        """
        self.name = folder.name
        self.labels = labels_of(folder)
        runtime = runtime or runtime_for(folder, AUTO_COMPUTE)
        self._tokenizer = TextTokenizer.from_folder(folder)
        self._network = ClassifierNetwork.from_folder(folder, self._tokenizer, runtime=runtime)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: ModelFolder, compute: ComputeOptions) -> Self:
        """Loads the model and runs it once. Raises ModelInvalid."""
        model = cls(folder, runtime=runtime_for(folder, compute))
        try:
            predictions = model.predict([("Is it ready?", "It is.")])
        except ModelError as exc:
            raise ModelInvalid(f"{folder.path}: the model fails: {exc}") from exc
        if predictions.logits.shape[1] != len(model.labels):
            raise ModelInvalid(
                f"{folder.path}: the head must have {len(model.labels)} labels, got {predictions.logits.shape[1]}"
            )
        return model

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """Returns predictions; truncates the longer text of a pair above the limit."""
        tokenized = [self._tokenized(pair) for pair in pairs]
        # Neighbours of similar length need little padding.
        order = sorted(range(len(pairs)), key=lambda position: -_length(tokenized[position][0]))
        logits = np.zeros((len(pairs), len(self.labels)), dtype=np.float32)
        try:
            for start in range(0, len(order), _BATCH_SIZE):
                batch = order[start : start + _BATCH_SIZE]
                with self._lock:
                    logits[batch] = self._network.logits([tokenized[position][0] for position in batch])
        except (RuntimeError, ValueError, MemoryError) as exc:
            raise ModelError(f"the classifier {self.name} failed: {exc}") from exc
        if not np.isfinite(logits).all():
            raise ModelOutputInvalid(f"the classifier {self.name} returned a value that is not finite")
        truncated = np.array([cut for _, cut in tokenized], dtype=np.bool_)
        return PairPredictions(self.labels, logits, _softmax(logits), truncated)

    def _tokenized(self, pair: TextPair) -> tuple[tuple[Ids, Ids | None], bool]:
        """Returns the tokens of both texts within the limit, and True if they were truncated."""
        limit = self._network.max_text_tokens(pair=pair[1] is not None)
        texts = [text for text in pair if text is not None]
        tokens = self._tokenizer.texts(texts, limit=limit)
        if pair[1] is None:
            return (tokens.ids[0], None), bool(tokens.truncated[0])
        first, second = tokens.ids
        lengths = _truncated_lengths(len(first), len(second), limit)
        cut = bool(tokens.truncated.any()) or lengths != (len(first), len(second))
        return (first[: lengths[0]], second[: lengths[1]]), cut


class LoadedPairModels:
    """Pair models by name, each loaded at its first use. *ranking* provides the rerankers."""

    def __init__(
        self,
        names: PublicNames,
        *,
        ranking: Callable[[], RankingModels],
        compute: ComputeOptions = AUTO_COMPUTE,
    ) -> None:
        self._ranking = ranking
        self._compute = compute
        self._names = names
        self._loaded: dict[str, PairModel] = {}
        self._loading = threading.Lock()

    def get(self, name: str | None) -> PairModel:
        """Returns the model *name*; see PairModels.get."""
        target = self._names.target(name, what="model")
        with self._loading:
            if target not in self._loaded:
                self._loaded[target] = self._load(target)
            return self._loaded[target]

    def _load(self, target: str) -> PairModel:
        name = self._names.name_of(target)
        folder = replace(resolve(target, role="reranker"), name=name)
        check_role(folder, "reranker")
        if is_classifier(folder):
            return ClassifierPairModel.load(folder, self._compute)
        model = self._ranking().get(name)
        return RerankerPairModel(model.reranker, label=labels_of(folder)[0], calibration=model.logit_calibration)


def load_pair_model(name: str, *, compute: ComputeOptions = AUTO_COMPUTE) -> PairModel:
    """Loads the reranker, similarity model or classifier *name*.

    Raises ModelNotFound for an unknown name, and ModelInvalid for an encoder and for a model that cannot be loaded.
    """
    folder = resolve(name, role="reranker")
    check_role(folder, "reranker")
    if is_classifier(folder):
        return ClassifierPairModel.load(folder, compute)
    model = load_ranking_model(name, compute=compute)
    return RerankerPairModel(model.reranker, label=labels_of(folder)[0], calibration=model.logit_calibration)


def is_classifier(folder: ModelFolder) -> bool:
    """Returns True if the head has several labels."""
    return folder.architecture == "cross-encoder" and folder.labels > 1


def labels_of(folder: ModelFolder) -> tuple[str, ...]:
    """Returns the label names of config.json in the order of the head, or LABEL_0, LABEL_1 … if it has none."""
    count = folder.labels if is_classifier(folder) else 1
    names = folder.config.get("id2label")
    names_by_id: Mapping[object, object] = names if isinstance(names, Mapping) else {}
    return tuple(str(names_by_id.get(str(i), f"LABEL_{i}")) for i in range(count))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the softmax of each row."""
    values = logits.astype(np.float64)
    exponents = np.exp(values - values.max(axis=1, keepdims=True)) if values.size else values
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float64)


def _truncated_lengths(first: int, second: int, limit: int) -> tuple[int, int]:
    """Returns the lengths of two texts within *limit* tokens. The longer text is truncated first, as tokenizers do."""
    half = limit // 2
    if first + second <= limit:
        return first, second
    if first <= half:
        return first, limit - first
    if second <= limit - half:
        return limit - second, second
    return half, limit - half


def _length(texts: tuple[Ids, Ids | None]) -> int:
    return len(texts[0]) + (0 if texts[1] is None else len(texts[1]))
