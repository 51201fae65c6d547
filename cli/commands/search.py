"""rerank-cli search."""

from __future__ import annotations

import json

import click

from rerank.cli.composition import opened_pipeline
from rerank.cli.flags import RANKING, json_flag, settings_flags
from rerank.cli.output import print_json, print_table, shortened, tell
from rerank.core.errors import InvalidFilter
from rerank.core.filters import Filter, parse_filter
from rerank.core.search import Explanation, SearchRequest, SearchResult
from rerank.core.settings import Settings

TITLE_CHARS, TEXT_CHARS = 32, 72


@click.command(name="search")
@click.argument("query")
@click.option("--index", required=True, help="The index to search.")
@click.option("--min-score", type=float, help="Drop hits that score lower; 0 drops none.  [default: the model's own]")
@click.option("--filter", "filter_json", help='A filter clause: \'{"term": {"metadata.lang": "it"}}\'.')
@click.option("--no-rerank", is_flag=True, help="Answer in first-stage order.")
@click.option("--explain", is_flag=True, help="Show what each hit's place is made of.")
@settings_flags(
    "k",
    *RANKING,
    "timeout_ms",
    "contenders",
    "passage_tokens",
)
@json_flag
def command(
    *,
    query: str,
    index: str,
    min_score: float | None,
    filter_json: str | None,
    no_rerank: bool,
    explain: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Search an index, and put the best answers first."""
    request = SearchRequest(
        index=index,
        query=query,
        k=settings.k,
        depth=settings.depth,
        mode=settings.mode,
        filter=_filter(filter_json),
        min_score=min_score,
        rerank=not no_rerank,
        explain=explain,
        timeout_ms=settings.timeout_ms,
    )
    with opened_pipeline(settings, index=index) as pipeline:
        result = pipeline.search(request)
    if as_json:
        print_json(result.to_json())
    else:
        _show(result)


def _filter(text: str | None) -> Filter | None:
    if text is None:
        return None
    try:
        clause = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidFilter(f"--filter is not JSON: {exc}", field="filter") from exc
    return parse_filter(clause)


def _terms(why: Explanation) -> str:
    """A fused score as the sum it is: value x weight of each feature."""
    if why.fusion is None:
        return "-"
    terms = " + ".join(f"{part.feature} {part.value:.3g} x {part.weight:.3g}" for part in why.fusion.parts)
    return f"{why.fusion.fused:.3f} = {terms}"


def _show(result: SearchResult) -> None:
    header = ["rank", "was", "score", "id", "title", "passage"]
    rows: list[list[object]] = []
    for hit in result.hits:
        ranked = hit.ranked
        passage = shortened(ranked.candidate.passage.text, TEXT_CHARS)
        row: list[object] = [ranked.rank, ranked.candidate.rank, f"{ranked.score:.4f}", hit.document.doc_id]
        rows.append([*row, shortened(hit.document.title, TITLE_CHARS), passage])
    if result.request.explain:
        header[3:3] = ["logit", "by vector", "by text", "fused from"]
        for row, hit in zip(rows, result.hits, strict=True):
            why = hit.ranked.explanation
            logit = "-" if why.logit is None else f"{why.logit:.3f}"
            row[3:3] = [logit, why.vector_rank or "-", why.text_rank or "-", _terms(why)]
    if rows:
        print_table(header, rows)
    else:
        tell("no hits")
    report = result.rerank
    if not report.applied:
        tell(f"not re-ranked: {report.reason}")
    elif report.reason is not None:
        tell(f"re-ranked {report.scored} of {report.candidates} candidates: {report.reason}")
    if report.dropped:
        tell(f"{report.dropped} candidates below the cut-off were dropped; --min-score 0 shows them")
    if report.warning is not None:
        tell(report.warning)
    if report.query_truncated:
        tell("the query is longer than the model reads; its end was cut")
