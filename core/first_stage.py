"""First stages that evaluations can measure: an index that rerank built, or searches of any other index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rerank.core.errors import CorpusError
from rerank.core.judgments import Dataset
from rerank.core.latency import Stopwatch
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModels
from rerank.core.retrieval import RetrievalOptions
from rerank.core.search import Candidate

_IDS_PER_LOOKUP = 1000


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Candidates of one query, best first, and the text that models receive as the query."""

    query: str
    candidates: Sequence[Candidate]


class FirstStage(Protocol):
    """Searches of one index, without reranking. Every method raises StoreError if the store fails."""

    @property
    def index(self) -> str:
        """Name of the index for users."""

    def parameters(self) -> Mapping[str, object]:
        """Returns how the index is searched, as JSON values for reports; at least `mode`."""

    def search(self, query: str, stopwatch: Stopwatch) -> Retrieved:
        """Returns the candidates of *query*, and records the stages encode and retrieve."""

    def contained(self, doc_ids: Sequence[str]) -> set[str]:
        """Returns those *doc_ids* that the index contains."""

    def advice_on_ids(self, dataset: str) -> str:
        """Returns a sentence that tells how to match the judgments of the folder *dataset* with the index."""


class Searches(Protocol):
    """Models, and the first stages whose candidates they rank."""

    @property
    def encoder(self) -> Encoder:
        """Encoder of the queries and passages."""

    @property
    def models(self) -> RankingModels:
        """Rerankers that options can name."""

    def first_stage(self, index: str, options: RetrievalOptions) -> FirstStage:
        """Returns the first stage over *index*. Raises IndexNotFound and EncoderMismatch."""


@dataclass(frozen=True, slots=True)
class RelevantDocuments:
    """Number of documents that are relevant to any query of a dataset, and how many of them the index lacks."""

    relevant: int
    absent: int

    @classmethod
    def of(cls, dataset: Dataset, first_stage: FirstStage) -> RelevantDocuments:
        """Looks up the relevant documents of *dataset*. Raises CorpusError if the index has none of them."""
        relevant = sorted(
            {doc_id for query in dataset.queries for doc_id, grade in query.relevance.items() if grade > 0}
        )
        contained = 0
        for start in range(0, len(relevant), _IDS_PER_LOOKUP):
            contained += len(first_stage.contained(relevant[start : start + _IDS_PER_LOOKUP]))
        if not contained:
            raise CorpusError(
                f'index "{first_stage.index}" has none of the {len(relevant)} relevant documents of {dataset.path},'
                f' such as "{relevant[0]}". {first_stage.advice_on_ids(dataset.path)}'
            )
        return cls(len(relevant), len(relevant) - contained)

    @property
    def warning(self) -> str | None:
        """Sentence for the user if the index lacks documents."""
        if not self.absent:
            return None
        return f"{self.absent} of {self.relevant} relevant documents are not in the index, so no search can find them."
