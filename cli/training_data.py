"""Training data that `rerank-cli train` takes from an index: hard negatives, or the scores of searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup

from rerank.cli import composition
from rerank.cli.searched_index import SEARCH_OPTIONS, SearchedIndex, opened_existing
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pipeline import SearchPipeline
    from rerank.core.protocols import Encoder
    from rerank.models.training.data.mining import MiningOptions, Retrieve

NEGATIVES_FILE = "negatives.jsonl"
SEARCHED_FILE = "searched.jsonl"
Report = Callable[[str, int, int], None]

NEGATIVES_OPTIONS = (
    cloup.option("--negatives", "negatives_index", help="Index to mine hard negatives from."),
    *SEARCH_OPTIONS,
    cloup.option(
        "--negatives-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File for the mined negatives. --data accepts it in later runs.",
        show_default="negatives.jsonl in --output",
    ),
    cloup.option("--negatives-teacher", help="Reranker that filters likely answers out of the mined negatives."),
    cloup.option(
        "--negatives-margin",
        type=click.FloatRange(min=0, max=1),
        help="Highest score of a negative, as a fraction of the positive's score.",
        show_default="0.95",
    ),
)


@dataclass(frozen=True)
class NegativesSource:
    """Index to mine hard negatives from. Without an index, nothing is mined."""

    index: SearchedIndex | None
    file: Path | None
    teacher: str | None
    margin: float | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> NegativesSource:
        """Removes the values of NEGATIVES_OPTIONS from *options* and returns them.

        Raises click.UsageError when --negatives is missing and another option needs it.
        """
        values = {name: options.pop(f"negatives_{name}") for name in ("index", "file", "teacher", "margin")}
        name, fields, template = values.pop("index"), options.pop("fields"), options.pop("query_template")
        if name is None and any(value is not None for value in (*values.values(), fields, template)):
            raise click.UsageError(
                "--negatives-file, --negatives-teacher, --negatives-margin, --fields and --query-template need"
                " --negatives INDEX."
            )
        return cls(index=None if name is None else SearchedIndex.of(name, fields, template), **values)

    def mined(
        self, data: tuple[Path, ...], settings: Settings, *, output: Path, count: int, seed: int, report: Report
    ) -> tuple[Path, ...]:
        """Returns *data*, or with an index a file of its queries with *count* mined negatives each.

        Resumes an interrupted run. *output* is the default folder of the file.
        """
        if self.index is None:
            return data
        from rerank.models.training.data.mining import MiningOptions, NegativeMiner
        from rerank.models.training.data.ranking_data import read_training_data
        from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
        from rerank.models.training.data.teacher_scores import ListTeacher
        from rerank.models.training.distributed import main_process_first

        options = MiningOptions(
            count=count,
            mode=settings.mode,
            seed=seed,
            teacher=None if self.teacher is None else ListTeacher.load(self.teacher),
            on_preparation=report,
            margin=MiningOptions.margin if self.margin is None else self.margin,
        )
        judged = read_training_data(data, negatives_needed=False, pool=False)
        with _first_stage(settings, self.index, options) as first_stage:
            provenance = {
                "data": dict(judged.digests),
                "index": self.index.name,
                "encoder": first_stage.encoder.fingerprint,
                **options.parameters(),
                **first_stage.parameters,
            }
            file = self.file or output / NEGATIVES_FILE
            with main_process_first():
                miner = NegativeMiner(first_stage.retrieve, first_stage.encoder, options)
                miner.mine(judged, ResumableJsonLines(file, provenance))
        return (file,)


@dataclass(frozen=True)
class _FirstStage:
    """First stage to mine from. parameters: how it is searched, unless the mining options state it."""

    retrieve: Retrieve
    encoder: Encoder
    parameters: Mapping[str, object]


@contextmanager
def _first_stage(settings: Settings, index: SearchedIndex, options: MiningOptions) -> Iterator[_FirstStage]:
    """Opens the first stage over *index* and closes it at the end of the block."""
    from rerank.core.pipeline import check_encoder
    from rerank.core.retrieval import RetrievalOptions
    from rerank.models.training.data.mining import retrieval

    if index.is_existing(settings):
        with opened_existing(settings, index) as searches:
            hits = searches.first_stage(index.name, RetrievalOptions(options.mode, options.depth))
            yield _FirstStage(lambda query, _: hits.hits(query).candidates, searches.encoder, hits.parameters())
        return
    with composition.opened_store(settings) as store:
        opened = store.open(index.name)
        encoder = composition.encoder(settings)
        check_encoder(opened, encoder)
        with retrieval(opened, options) as retrieve:
            yield _FirstStage(retrieve, encoder, {})


def search_scores(
    data: Sequence[Path], settings: Settings, *, index: str, output: Path, report: Report
) -> tuple[Path, ...]:
    """Writes a file with the scores of searches in *index* for the queries in *data*, and returns its path.

    Resumes an interrupted run.
    """
    from rerank.models.training.data.ranking_data import read_queries
    from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
    from rerank.models.training.data.search_scores import write_search_scores
    from rerank.models.training.distributed import main_process_first

    queries, digests = read_queries(data)
    file = output / SEARCHED_FILE
    with composition.opened_pipeline(settings, index=index) as pipeline:
        provenance = {
            "data": digests,
            "index": index,
            "encoder": pipeline.encoder.fingerprint,
            "reranker": pipeline.models.get(None).reranker.fingerprint,
            "mode": settings.mode,
            "depth": settings.depth,
        }
        with main_process_first():
            write_search_scores(
                queries,
                lambda query: _scored_passages(pipeline, settings, index, query),
                ResumableJsonLines(file, provenance),
                on_preparation=report,
            )
    return (file,)


def _scored_passages(pipeline: SearchPipeline, settings: Settings, index: str, query: str) -> list[tuple[str, float]]:
    from rerank.core.errors import TrainingFailed
    from rerank.core.search import SearchRequest

    request = SearchRequest(
        index, query, k=settings.depth, depth=settings.depth, mode=settings.mode, min_score=0.0, explain=True
    )
    result = pipeline.search(request)
    passages = []
    for hit in result.hits:
        fusion = hit.ranked.explanation.fusion
        if fusion is None:
            raise TrainingFailed(
                f"The search for {query!r} was not reranked ({result.rerank.reason}), so there are no scores to learn."
                " Check the reranker: rerank-cli doctor"
            )
        passages.append((hit.ranked.candidate.passage.headed_text, fusion.fused))
    return passages
