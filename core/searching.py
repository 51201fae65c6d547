"""The online road: encode, retrieve, re-rank, cut."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import EncoderMismatch, ModelError, ModelNotFound
from rerank.core.latency import Clock
from rerank.core.protocols import Cancellation, Encoder, Index, Store
from rerank.core.ranking import Ranking, RankingModel, RankingModels, above, first_stage_ranking, rerank
from rerank.core.retrieval import Retrieval
from rerank.core.search import Candidate, Hit, RankedCandidate, Reason, RerankReport, SearchRequest, SearchResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchPipeline:
    """Answers searches over a store, with an encoder and the rerankers that requests may name."""

    store: Store
    encoder: Encoder
    models: RankingModels

    def search(self, request: SearchRequest, *, cancellation: Cancellation | None = None) -> SearchResult:
        """Answer *request*. A search answers even when re-ranking cannot, and says so.

        Raises IndexNotFound, ModelNotFound, EncoderMismatch, InvalidFilter, StoreError, and RequestCancelled once
        *cancellation* says that nobody waits any more.
        """
        clock = Clock()
        index = self.store.open(request.index)
        check_encoder(index, self.encoder)
        model = self._model(request)
        vector = self._vector(request)
        clock.lap("encode")
        retrieval = Retrieval(request.mode, request.depth, request.filter)
        candidates = retrieval.candidates(index, request.query, vector)
        clock.lap("retrieve")
        ranking = self._ranking(request, candidates, model, cancellation)
        clock.lap("rerank")
        page = ranking.ranked[request.offset : request.offset + request.k]
        hits = fetch_hits(index, page)
        return SearchResult(request, hits, ranking.report, clock.total())

    def _model(self, request: SearchRequest) -> RankingModel | Reason:
        """The model to rank with, or why there is none."""
        if not request.rerank:
            return Reason.DISABLED
        try:
            return self.models.get(request.model)
        except ModelNotFound:
            raise
        except ModelError as exc:
            _log.error("reranker unavailable: %s", exc)
            return Reason.MODEL_UNAVAILABLE

    def _vector(self, request: SearchRequest) -> NDArray[np.float32] | None:
        if request.mode == "text":
            return None
        vector: NDArray[np.float32] = self.encoder.encode_queries([request.query])[0]
        return vector

    def _ranking(
        self,
        request: SearchRequest,
        candidates: Sequence[Candidate],
        model: RankingModel | Reason,
        cancellation: Cancellation | None,
    ) -> Ranking:
        if isinstance(model, Reason):
            report = RerankReport(applied=False, reason=model, model=None, candidates=len(candidates))
            ranking = first_stage_ranking(candidates, report)
            # Asked for together with rerank: false, the cut-off is meant in retrieval scores; after a failure it is
            # not, and would silently empty the answer.
            if model is Reason.DISABLED and request.min_score:
                return _above_retrieval_score(ranking, request.min_score)
            return ranking
        deadline = None if request.timeout_ms is None else time.monotonic() + request.timeout_ms / 1000
        ranking = rerank(model, request.query, candidates, deadline=deadline, cancellation=cancellation)
        min_score = model.min_score if request.min_score is None else request.min_score
        return above(ranking, min_score) if min_score else ranking


def check_encoder(index: Index, encoder: Encoder) -> None:
    """Raise EncoderMismatch when *index* holds another encoder's vectors."""
    built_with = index.spec.encoder
    if built_with.fingerprint != encoder.fingerprint:
        raise EncoderMismatch(
            f'index "{index.name}" was built with the encoder "{built_with.name}" ({built_with.fingerprint[:12]}), '
            f'not with "{encoder.name}" ({encoder.fingerprint[:12]}): name that one with --encoder, '
            f"or build the index anew with rerank-cli ingest --restart"
        )


def fetch_hits(index: Index, page: Sequence[RankedCandidate]) -> tuple[Hit, ...]:
    """The documents of *page*, in its order; one deleted since it was found is left out."""
    documents = index.fetch([entry.candidate.doc_id for entry in page]) if page else {}
    return tuple(Hit(documents[entry.candidate.doc_id], entry) for entry in page if entry.candidate.doc_id in documents)


def _above_retrieval_score(ranking: Ranking, min_score: float) -> Ranking:
    kept = tuple(entry for entry in ranking.ranked if entry.score >= min_score)
    report = RerankReport(
        applied=False,
        reason=ranking.report.reason,
        model=None,
        candidates=ranking.report.candidates,
        dropped=len(ranking.ranked) - len(kept),
    )
    return Ranking(kept, report)
