"""The search pipeline: encode the query, retrieve candidates, rerank them, return a page of hits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.boosted_order import boosted, without_excluded
from rerank.core.boosts import current_hour
from rerank.core.errors import EncoderMismatch, ModelError, ModelNotFound, ModelTimeout
from rerank.core.first_stage import Retrieved
from rerank.core.latency import Stopwatch
from rerank.core.protocols import Cancellation, Encoder, Index, Store
from rerank.core.ranking import Ranking, RankingModel, RankingModels, drop_below, first_stage_ranking, rerank
from rerank.core.retrieval import RetrievalOptions, Retriever
from rerank.core.search import Candidate, Hit, RankedCandidate, Reason, RerankReport, SearchRequest, SearchResult
from rerank.core.time_budget import TimeBudget

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchPipeline:
    """Pipeline over a store, with an encoder and the rerankers that requests can name."""

    store: Store
    encoder: Encoder
    models: RankingModels
    retriever: Retriever = field(default_factory=Retriever)

    def search(self, request: SearchRequest, *, cancellation: Cancellation | None = None) -> SearchResult:
        """Returns the hits of *request*, in first-stage order if reranking fails; the report has the reason.

        The time budget covers encoding and reranking. If it ends while the query is encoded, the search uses text only.

        Raises IndexNotFound, ModelNotFound, EncoderMismatch, InvalidFilter and StoreError, and RequestCancelled when
        *cancellation* is set.
        """
        stopwatch = Stopwatch()
        index = self.store.open(request.index)
        check_encoder(index, self.encoder)
        model = self._model(request)
        budget = TimeBudget(request.timeout_ms)
        mode = request.mode
        try:
            vector = None if mode == "text" else self.query_vector(request.query, deadline=budget.deadline())
        except ModelTimeout as exc:
            _log.warning("searching by text only: %s", exc.message)
            vector, mode, model = None, "text", Reason.TIMEOUT
        budget.pause()
        stopwatch.lap("encode")
        options = RetrievalOptions(mode, request.depth, request.filter)
        candidates = self.candidates(index, request.query, vector, options)
        if request.boosts is not None:
            candidates = without_excluded(candidates, request.boosts)
        stopwatch.lap("retrieve")
        ranking = self._ranking(request, candidates, model, budget.deadline(), cancellation)
        if request.boosts is not None:
            values = _field_values(index, candidates, request.boosts.fields)
            ranking = boosted(ranking, request.boosts, values, now=current_hour())
        stopwatch.lap("rerank")
        page = ranking.ranked[request.offset : request.offset + request.k]
        hits = fetch_hits(index, page)
        return SearchResult(request, hits, ranking.report, stopwatch.total())

    def first_stage(self, index: str, options: RetrievalOptions) -> IndexFirstStage:
        """Returns the first stage over *index*. Raises IndexNotFound and EncoderMismatch."""
        opened = self.store.open(index)
        check_encoder(opened, self.encoder)
        return IndexFirstStage(self, opened, options)

    def query_vector(self, query: str, *, deadline: float | None = None) -> NDArray[np.float32]:
        """Returns the vector of *query*, float32 (dim,). Raises ModelTimeout when the *deadline* has passed."""
        vector: NDArray[np.float32] = self.encoder.encode_queries([query], deadline=deadline)[0]
        return vector

    def candidates(
        self, index: Index, query: str, vector: NDArray[np.float32] | None, options: RetrievalOptions
    ) -> list[Candidate]:
        """Returns the first-stage candidates of *query*, best first, with cosines on the reference scale."""
        return self.encoder.cosine_scale.scaled(self.retriever.candidates(index, query, vector, options))

    def close(self) -> None:
        """Stops the retrieval threads. The store stays open."""
        self.retriever.close()

    def _model(self, request: SearchRequest) -> RankingModel | Reason:
        """Returns the model to rerank with, or the reason to skip reranking."""
        if not request.rerank:
            return Reason.DISABLED
        try:
            return self.models.get(request.model)
        except ModelNotFound:
            raise
        except ModelError as exc:
            _log.error("reranker unavailable: %s", exc)
            return Reason.MODEL_UNAVAILABLE

    def _ranking(
        self,
        request: SearchRequest,
        candidates: Sequence[Candidate],
        model: RankingModel | Reason,
        deadline: float | None,
        cancellation: Cancellation | None,
    ) -> Ranking:
        if isinstance(model, Reason):
            report = RerankReport(applied=False, reason=model, model=None, candidates=len(candidates))
            ranking = first_stage_ranking(candidates, report)
            # With rerank: false, min_score is in units of the retrieval score. After a failure it is in units of the
            # reranked score, and would silently drop all hits.
            if model is Reason.DISABLED and request.min_score:
                return _drop_below_retrieval_score(ranking, request.min_score)
            return ranking
        ranking = rerank(model, request.query, candidates, deadline=deadline, cancellation=cancellation)
        min_score = model.min_score if request.min_score is None else request.min_score
        return drop_below(ranking, min_score) if min_score else ranking


@dataclass(frozen=True)
class IndexFirstStage:
    """FirstStage over an index that rerank built."""

    pipeline: SearchPipeline
    opened: Index
    options: RetrievalOptions

    @property
    def index(self) -> str:
        """Name of the index."""
        return self.opened.name

    def parameters(self) -> Mapping[str, object]:
        """Returns the mode."""
        return {"mode": self.options.mode}

    def search(self, query: str, stopwatch: Stopwatch) -> Retrieved:
        """Returns the candidates of *query*, and records the stages encode and retrieve."""
        vector = None if self.options.mode == "text" else self.pipeline.query_vector(query)
        stopwatch.lap("encode")
        candidates = self.pipeline.candidates(self.opened, query, vector, self.options)
        stopwatch.lap("retrieve")
        return Retrieved(query, candidates)

    def contained(self, doc_ids: Sequence[str]) -> set[str]:
        """Returns those *doc_ids* that the index contains."""
        return set(self.opened.content_hashes(doc_ids))

    def advice_on_ids(self, dataset: str) -> str:
        """Returns the command that ingests the corpus."""
        return f"Ingest the corpus first: rerank-cli ingest {dataset} --index {self.index}"


def check_encoder(index: Index, encoder: Encoder) -> None:
    """Raises EncoderMismatch if *index* was built with a different encoder."""
    index_encoder = index.spec.encoder
    if index_encoder.fingerprint != encoder.fingerprint:
        raise EncoderMismatch(
            f'index "{index.name}" was built with the encoder "{index_encoder.name}" '
            f'({index_encoder.fingerprint[:12]}), not with "{encoder.name}" ({encoder.fingerprint[:12]}). '
            f"Use the encoder of the index: --encoder {index_encoder.name}. Or encode the corpus again: "
            f"rerank-cli ingest CORPUS --index {index.name} --restart"
        )


def _field_values(index: Index, candidates: Sequence[Candidate], fields: Sequence[str]) -> dict[str, list[object]]:
    """Returns the values of the *fields*, `metadata.NAME`, of each candidate by doc_id; None for a missing field."""
    if not fields:
        return {}
    names = [field.partition(".")[2] for field in fields]
    documents = index.fetch([candidate.doc_id for candidate in candidates])
    return {doc_id: [document.metadata.get(name) for name in names] for doc_id, document in documents.items()}


def fetch_hits(index: Index, page: Sequence[RankedCandidate]) -> tuple[Hit, ...]:
    """Returns the documents of *page* in its order, without documents deleted since retrieval."""
    documents = index.fetch([entry.candidate.doc_id for entry in page]) if page else {}
    return tuple(Hit(documents[entry.candidate.doc_id], entry) for entry in page if entry.candidate.doc_id in documents)


def _drop_below_retrieval_score(ranking: Ranking, min_score: float) -> Ranking:
    remaining = tuple(entry for entry in ranking.ranked if entry.score >= min_score)
    return Ranking(remaining, replace(ranking.report, dropped=len(ranking.ranked) - len(remaining)))
