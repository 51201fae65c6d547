"""Models that say something of pairs of texts: labels of a classifier, or the one score of whatever ranks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.calibration import Calibration, probabilities
from rerank.core.errors import InvalidRequest, ModelError, ModelInvalid, ModelNotFound, ModelOutputInvalid
from rerank.core.pairs import PairModel, PairPredictions, TextPair
from rerank.core.protocols import Reranker
from rerank.core.ranking import RankingModels
from rerank.models.architectures.classifier import ClassifierNetwork
from rerank.models.catalog import DEFAULT, check_role, default_name, resolve
from rerank.models.compute_options import AUTO_COMPUTE, ComputeOptions
from rerank.models.folder import ModelFolder
from rerank.models.loading import load_ranking_model
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.choice import runtime_for
from rerank.models.tokenizer import Ids, TextTokenizer

_BATCH = 16


class RerankerPairModel:
    """A PairModel over a reranker or a similarity model: one label, whose probability is the calibrated score."""

    def __init__(self, reranker: Reranker, *, label: str, calibration: Calibration) -> None:
        self.name = reranker.name
        self._reranker = reranker
        self._label = label
        self._calibration = calibration

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """Pairs that share their first text are read together."""
        logits = np.zeros(len(pairs), dtype=np.float32)
        truncated = np.zeros(len(pairs), dtype=np.bool_)
        places: dict[str, list[int]] = {}
        for place, (first, _) in enumerate(pairs):
            places.setdefault(first, []).append(place)
        for first, group in places.items():
            scores = self._reranker.score(first, [self._second(pairs[place], place) for place in group])
            logits[group] = scores.logits
            truncated[group] = scores.truncated | scores.query_truncated
        said = probabilities(self._calibration.log_odds(logits.astype(np.float64), {}))
        return PairPredictions((self._label,), logits[:, None], said[:, None], truncated)

    def _second(self, pair: TextPair, place: int) -> str:
        if pair[1] is None:
            raise InvalidRequest(
                f"input {place + 1} is one text alone, and {self.name} reads pairs: send [text, text]", field="inputs"
            )
        return pair[1]


class ClassifierPairModel:
    """A PairModel over a classifier. Safe for many threads, which it serves one after the other."""

    def __init__(self, folder: ModelFolder, *, runtime: ModelRuntime | None = None) -> None:
        """Load the folder's network into *runtime*, by default the one that runs it fastest here.

        Raises ModelInvalid where it does not hold a classifier that can be read.
        """
        self.name = folder.name
        self.labels = labels_of(folder)
        runtime = runtime or runtime_for(folder, AUTO_COMPUTE)
        self._tokenizer = TextTokenizer.from_folder(folder)
        self._network = ClassifierNetwork.from_folder(folder, self._tokenizer, runtime=runtime)
        self._lock = threading.Lock()

    @classmethod
    def checked(cls, folder: ModelFolder, compute: ComputeOptions) -> Self:
        """Loaded, and run once. Raises ModelInvalid."""
        loaded = cls(folder, runtime=runtime_for(folder, compute))
        try:
            said = loaded.predict([("Is it ready?", "It is.")])
        except ModelError as exc:
            raise ModelInvalid(f"{folder.path}: loaded, but it cannot answer: {exc}") from exc
        if said.logits.shape[1] != len(loaded.labels):
            raise ModelInvalid(
                f"{folder.path}: its head answers {said.logits.shape[1]} labels, not {len(loaded.labels)}"
            )
        return loaded

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """The longer text of a pair that is too long is cut."""
        fitted = [self._fitted(pair) for pair in pairs]
        order = sorted(range(len(pairs)), key=lambda place: -_length(fitted[place][0]))
        logits = np.zeros((len(pairs), len(self.labels)), dtype=np.float32)
        try:
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                with self._lock:
                    logits[batch] = self._network.logits([fitted[place][0] for place in batch])
        except (RuntimeError, ValueError, MemoryError) as exc:
            raise ModelError(f"the classifier {self.name} failed: {exc}") from exc
        if not np.isfinite(logits).all():
            raise ModelOutputInvalid(f"the classifier {self.name} answered a value that is not finite")
        truncated = np.array([cut for _, cut in fitted], dtype=np.bool_)
        return PairPredictions(self.labels, logits, _shares(logits), truncated)

    def _fitted(self, pair: TextPair) -> tuple[tuple[Ids, Ids | None], bool]:
        """The tokens that are read, and whether that is not all of them."""
        room = self._network.room(pair=pair[1] is not None)
        texts = [text for text in pair if text is not None]
        read = self._tokenizer.texts(texts, limit=room)
        if pair[1] is None:
            return (read.ids[0], None), bool(read.truncated[0])
        first, second = read.ids
        kept = _longest_cut(len(first), len(second), room)
        cut = bool(read.truncated.any()) or kept != (len(first), len(second))
        return (first[: kept[0]], second[: kept[1]]), cut


class LoadedPairModels:
    """The models that requests may name, each loaded when it is first asked for; *ranking* has those that rank."""

    def __init__(
        self,
        default: str,
        others: Sequence[str],
        *,
        ranking: Callable[[], RankingModels],
        compute: ComputeOptions = AUTO_COMPUTE,
    ) -> None:
        self._ranking = ranking
        self._computing = compute
        self._default = default_name("reranker") if default == DEFAULT else default
        self._names = {self._default, *(default_name("reranker") if name == DEFAULT else name for name in others)}
        self._loaded: dict[str, PairModel] = {}
        self._loading = threading.Lock()

    def get(self, name: str | None) -> PairModel:
        """As PairModels.get."""
        name = self._default if name in (None, DEFAULT) else name
        if name not in self._names:
            raise ModelNotFound(f'no model "{name}" is configured; there are: {", ".join(sorted(self._names))}')
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _load(self, name: str) -> PairModel:
        folder = resolve(name, role="reranker")
        check_role(folder, "reranker")
        if is_classifier(folder):
            return ClassifierPairModel.checked(folder, self._computing)
        model = self._ranking().get(name)
        return RerankerPairModel(model.reranker, label=labels_of(folder)[0], calibration=model.logit_calibration)


def load_pair_model(name: str, *, compute: ComputeOptions = AUTO_COMPUTE) -> PairModel:
    """The model that *name* means: a reranker, a similarity model or a classifier.

    Raises ModelNotFound when there is none, and ModelInvalid for an encoder and for one that cannot be loaded.
    """
    folder = resolve(name, role="reranker")
    check_role(folder, "reranker")
    if is_classifier(folder):
        return ClassifierPairModel.checked(folder, compute)
    model = load_ranking_model(name, compute=compute)
    return RerankerPairModel(model.reranker, label=labels_of(folder)[0], calibration=model.logit_calibration)


def is_classifier(folder: ModelFolder) -> bool:
    """Whether the model's head answers several labels."""
    return folder.architecture == "cross-encoder" and folder.labels > 1


def labels_of(folder: ModelFolder) -> tuple[str, ...]:
    """The labels' names in the order of the head, as config.json has them; LABEL_0 and so on where it has none."""
    count = folder.labels if is_classifier(folder) else 1
    names = folder.config.get("id2label")
    known: Mapping[object, object] = names if isinstance(names, Mapping) else {}
    return tuple(str(known.get(str(i), f"LABEL_{i}")) for i in range(count))


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The softmax of each row."""
    values = logits.astype(np.float64)
    exponents = np.exp(values - values.max(axis=1, keepdims=True)) if values.size else values
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float64)


def _longest_cut(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each of two texts are kept: the longer one is cut first, as tokenizers do."""
    half = room // 2
    if first + second <= room:
        return first, second
    if first <= half:
        return first, room - first
    if second <= room - half:
        return room - second, second
    return half, room - half


def _length(texts: tuple[Ids, Ids | None]) -> int:
    return len(texts[0]) + (0 if texts[1] is None else len(texts[1]))
