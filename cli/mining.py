"""What `rerank-cli train` asks an index before a run: hard negatives, or what a search says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rerank.cli import composition
from rerank.cli.failures import Misused
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pipeline import SearchPipeline

NEGATIVES_FILE = "negatives.jsonl"
SEARCHED_FILE = "searched.jsonl"
Report = Callable[[str, int, int], None]


def negatives_flags(recipe: Any) -> Any:
    """The flags that say where hard negatives come from, as the argument `negatives_from`."""
    flags = (
        click.option("--negatives", "negatives_index", help="Mine hard negatives from this index."),
        click.option(
            "--negatives-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Where mined negatives are kept; --data reads the file again.  [default: in --output]",
        ),
        click.option("--negatives-teacher", help="A reranker that tells answers among what is mined."),
        click.option(
            "--negatives-margin",
            type=click.FloatRange(min=0, max=1),
            help="What is above this part of the relevant passage's score may be an answer.  [default: 0.95]",
        ),
    )

    def with_source(**given: Any) -> Any:
        names = ("index", "file", "teacher", "margin")
        source = NegativesSource(**{name: given.pop(f"negatives_{name}") for name in names})
        return recipe(negatives_from=source, **given)

    wrapped: Any = with_source
    wrapped.__doc__ = recipe.__doc__
    for flag in reversed(flags):
        wrapped = flag(wrapped)
    wrapped.__click_params__ = [*getattr(recipe, "__click_params__", []), *wrapped.__click_params__]
    return wrapped


@dataclass(frozen=True)
class NegativesSource:
    """An index that negatives are mined from; None: none are."""

    index: str | None
    file: Path | None
    teacher: str | None
    margin: float | None

    def __post_init__(self) -> None:
        if self.index is None and (self.file or self.teacher or self.margin is not None):
            raise Misused("--negatives-file, --negatives-teacher and --negatives-margin need --negatives INDEX")

    def data(
        self, data: tuple[Path, ...], settings: Settings, *, output: Path, more: dict[str, Any]
    ) -> tuple[Path, ...]:
        """*data* as it is, or the file of its queries with the negatives that were mined for them.

        *more*: of what the recipe was told, `count` of negatives, `seed` and `on_preparation`, where they are given.
        """
        if self.index is None:
            return data
        from rerank.core.pipeline import check_encoder
        from rerank.models.training.data.mining import MiningOptions, NegativeMiner
        from rerank.models.training.data.ranking_data import read_training_data
        from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
        from rerank.models.training.data.teacher_scores import ListTeacher
        from rerank.models.training.distributed import main_process_first

        told = {"mode": settings.mode, "margin": self.margin, **more}
        teacher = None if self.teacher is None else ListTeacher.load(self.teacher)
        options = MiningOptions(teacher=teacher, **{name: value for name, value in told.items() if value is not None})
        judged = read_training_data(data, negatives_needed=False, pool=False)
        with composition.opened_store(settings) as store:
            index = store.open(self.index)
            encoder = composition.encoder(settings)
            check_encoder(index, encoder)
            made_from = {
                "data": dict(judged.digests),
                "index": self.index,
                "encoder": encoder.fingerprint,
                **options.parameters(),
            }
            file = self.file or output / NEGATIVES_FILE
            with main_process_first():
                NegativeMiner(index, encoder, options).mine(judged, ResumableJsonLines(file, made_from))
        return (file,)


def searched(data: Sequence[Path], settings: Settings, *, index: str, output: Path, report: Report) -> tuple[Path, ...]:
    """The file of what the search that *settings* describe says of the queries in *data*."""
    from rerank.models.training.data.ranking_data import read_queries
    from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
    from rerank.models.training.data.search_scores import write_search_scores
    from rerank.models.training.distributed import main_process_first

    queries, digests = read_queries(data)
    file = output / SEARCHED_FILE
    with composition.opened_pipeline(settings, index=index) as pipeline:
        reranker = pipeline.models.get(None).reranker
        made_from = {
            "data": digests,
            "index": index,
            "encoder": pipeline.encoder.fingerprint,
            "reranker": reranker.fingerprint,
            "mode": settings.mode,
            "depth": settings.depth,
        }
        lines = ResumableJsonLines(file, made_from)
        with main_process_first():
            write_search_scores(
                queries, lambda query: _found(pipeline, settings, index, query), lines, on_preparation=report
            )
    return (file,)


def _found(pipeline: SearchPipeline, settings: Settings, index: str, query: str) -> list[tuple[str, float]]:
    from rerank.core.errors import TrainingFailed
    from rerank.core.search import SearchRequest

    request = SearchRequest(
        index, query, k=settings.depth, depth=settings.depth, mode=settings.mode, min_score=0.0, explain=True
    )
    result = pipeline.search(request)
    found = []
    for hit in result.hits:
        fusion = hit.ranked.explanation.fusion
        if fusion is None:
            raise TrainingFailed(
                f"the search for {query!r} was not re-ranked ({result.rerank.reason}): nothing to learn"
            )
        found.append((hit.ranked.candidate.passage.headed_text, fusion.fused))
    return found
