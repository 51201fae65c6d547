"""Index that a command searches with judged queries: one that rerank built, or any other index of an OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click
import cloup

from rerank.cli import composition
from rerank.core.errors import IndexNotFound, InvalidIndexName
from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.first_stage import FirstStage, Searches
    from rerank.core.judgments import Dataset
    from rerank.service.proxy.existing_index import ExistingIndexSearches

VECTOR_CACHE_MB = 256
"""Memory for vectors of passages, which several judged queries retrieve."""

SEARCH_OPTIONS = (
    cloup.option(
        "--fields",
        help="Fields to search and score in an index that rerank did not build, comma-separated.",
        show_default="all text fields",
    ),
    cloup.option(
        "--query-template",
        type=click.Path(dir_okay=False, path_type=Path),
        help="JSON file with the search body for such an index; {query} stands for the query text.",
        show_default="a multi_match of --fields",
    ),
)


@dataclass(frozen=True)
class SearchedIndex:
    """Index, and how to search it if rerank did not build it."""

    name: str
    fields: tuple[str, ...] = ()
    template: Path | None = None

    @classmethod
    def of(cls, name: str, fields: str | None, template: Path | None) -> Self:
        """Returns the index of the options --index, --fields and --query-template."""
        names = tuple(part.strip() for part in (fields or "").split(",") if part.strip())
        return cls(name, names, template)

    def is_existing(self, settings: Settings) -> bool:
        """Returns True if the proxy's code must search the index, because rerank did not build it.

        --fields and --query-template also select this for an index that rerank built. Raises click.UsageError if they
        are given for an embedded store, and IndexNotFound if the embedded store lacks the index.
        """
        from rerank.service.proxy.address import is_server_url

        if self.fields or self.template is not None:
            if not is_server_url(settings.store):
                raise click.UsageError(
                    "--fields and --query-template need an OpenSearch store. Pass --store http://host:port."
                )
            return True
        with composition.opened_store(settings) as store:
            try:
                store.open(self.name)
            except (IndexNotFound, InvalidIndexName):
                if not is_server_url(settings.store):
                    raise
                return True
        return False


@contextmanager
def opened_searches(settings: Settings, index: SearchedIndex) -> Iterator[Searches]:
    """Opens the searches of *index* and closes them at the end of the block.

    The index is opened first, so that a wrong name or template fails before the models are loaded.
    """
    if index.is_existing(settings):
        with opened_existing(settings, index) as existing:
            yield existing
    else:
        with composition.opened_pipeline(settings, index=index.name) as pipeline:
            yield pipeline


@contextmanager
def opened_existing(settings: Settings, index: SearchedIndex) -> Iterator[ExistingIndexSearches]:
    """Opens the searches of an index that rerank did not build, and closes them at the end of the block."""
    from rerank.models.output_cache import OutputCache
    from rerank.models.passage_similarity import PassageSimilarity
    from rerank.models.shared_resources import SharedResources
    from rerank.service.proxy.existing_index import ExistingIndexSearches, existing_index
    from rerank.service.proxy.query_template import QueryTemplate

    template = None if index.template is None else QueryTemplate.read(index.template)
    with existing_index(settings, index.name, fields=index.fields, template=template) as existing:
        shared = SharedResources()
        encoder = composition.encoder(settings, shared=shared)
        rerankers = composition.LazyRerankers(settings, shared=shared)
        similarity = PassageSimilarity(encoder, OutputCache(megabytes=VECTOR_CACHE_MB))
        yield ExistingIndexSearches(existing, encoder, rerankers, similarity)


def description(first_stage: Mapping[str, object]) -> str:
    """Returns the parameters of a first stage as a phrase for a table's heading."""
    fields = first_stage.get("fields")
    shown = f", fields {', '.join(fields)}" if isinstance(fields, list) else ""
    return f"mode {first_stage['mode']}{shown}"


def print_absent(first_stage: FirstStage, judged: Dataset) -> None:
    """Prints how many relevant documents of *judged* the index lacks. Raises CorpusError if it lacks all."""
    from rerank.cli.output import print_message
    from rerank.core.first_stage import RelevantDocuments

    warning = RelevantDocuments.of(judged, first_stage).warning
    if warning is not None:
        print_message(warning)
