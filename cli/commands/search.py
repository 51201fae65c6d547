"""`rerank-cli search`."""

from __future__ import annotations

import json

import cloup

from rerank.cli.composition import opened_pipeline
from rerank.cli.options import RANKING, RUNTIME, epilog, json_option, setting_options, with_settings
from rerank.cli.output import print_json, print_message, print_table, shortened
from rerank.core.boosts import Boosts
from rerank.core.errors import InvalidFilter, InvalidRequest
from rerank.core.filters import Filter, parse_filter
from rerank.core.search import Explanation, RerankReport, SearchRequest, SearchResult
from rerank.core.settings import Settings

TITLE_CHARS, TEXT_CHARS = 32, 72


@cloup.command(name="search", epilog=epilog('rerank-cli search "how to list open ports" --index docs'))
@cloup.argument("query")
@cloup.option_group(
    "Search",
    cloup.option("--index", required=True, help="Index to search."),
    cloup.option("--filter", "filter_json", help='Filter clause, such as {"term": {"metadata.lang": "it"}}.'),
    cloup.option("--boosts", "boosts_json", help='Boosts of the final order, such as {"pinned": ["42"]}.'),
    cloup.option(
        "--min-score", type=float, help="Lowest score of a hit; 0 keeps all hits.", show_default="the model's own"
    ),
    cloup.option("--no-rerank", is_flag=True, help="Return hits in first-stage order."),
    cloup.option("--explain", is_flag=True, help="Show how the score of each hit is computed."),
)
@cloup.option_group("Index", *setting_options("store"))
@cloup.option_group("Models", *setting_options("encoder", "reranker", *RUNTIME))
@cloup.option_group("Ranking", *setting_options("k", *RANKING, "timeout_ms"))
@json_option
@with_settings
def command(
    *,
    query: str,
    index: str,
    min_score: float | None,
    filter_json: str | None,
    boosts_json: str | None,
    no_rerank: bool,
    explain: bool,
    as_json: bool,
    settings: Settings,
) -> None:
    """Search an index and rerank the results."""
    request = SearchRequest(
        index=index,
        query=query,
        k=settings.k,
        depth=settings.depth,
        mode=settings.mode,
        filter=_parsed_filter(filter_json),
        min_score=min_score,
        rerank=not no_rerank,
        explain=explain,
        timeout_ms=settings.timeout_ms,
        boosts=_parsed_boosts(boosts_json),
    )
    with opened_pipeline(settings, index=index) as pipeline:
        result = pipeline.search(request)
    if as_json:
        print_json(result.to_json())
    else:
        _print_hits(result)
        _print_report(result.rerank)


def _parsed_filter(text: str | None) -> Filter | None:
    if text is None:
        return None
    try:
        clause = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidFilter(f"--filter must be JSON: {exc}", field="filter") from exc
    return parse_filter(clause)


def _parsed_boosts(text: str | None) -> Boosts | None:
    if text is None:
        return None
    from rerank.service.boost_models import parse_boosts

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"--boosts must be JSON: {exc}", field="boosts") from exc
    return parse_boosts(value)


def _print_hits(result: SearchResult) -> None:
    if not result.hits:
        print_message("No hits.")
        return
    explained = result.request.explain
    explanation = ["logit", "vector rank", "text rank", "fused score"] if explained else []
    rows: list[list[object]] = []
    for hit in result.hits:
        ranked, document = hit.ranked, hit.document
        rows.append(
            [
                ranked.rank,
                ranked.candidate.rank,
                f"{ranked.score:.4f}",
                *(_explanation(ranked.explanation) if explained else []),
                document.doc_id,
                shortened(document.title, TITLE_CHARS),
                shortened(ranked.candidate.passage.text, TEXT_CHARS),
            ]
        )
    print_table(["rank", "first stage", "score", *explanation, "id", "title", "passage"], rows)


def _explanation(explanation: Explanation) -> list[object]:
    logit = "-"
    if explanation.logit is not None:
        logit = f"{explanation.logit:.3f}"
    elif explanation.estimated_logit is not None:
        logit = f"~{explanation.estimated_logit:.3f}"
    fused = "-"
    if explanation.fusion is not None:
        terms = " + ".join(f"{part.feature} {part.value:.3g} x {part.weight:.3g}" for part in explanation.fusion.parts)
        fused = f"{explanation.fusion.fused:.3f} = {terms}"
    if explanation.boosts is not None:
        added = [f"{term.boost} {term.contribution:+.3f}" for term in explanation.boosts.terms]
        pinned = [] if explanation.boosts.pinned is None else [f"pinned {explanation.boosts.pinned}"]
        fused = "; ".join([fused, *added, *pinned])
    return [logit, explanation.vector_rank or "-", explanation.text_rank or "-", fused]


def _print_report(report: RerankReport) -> None:
    if not report.applied:
        print_message(f"Not reranked: {report.reason}")
    elif report.reason is not None:
        print_message(f"Reranked {report.scored} of {report.candidates} candidates: {report.reason}")
    if report.dropped:
        print_message(f"Dropped {report.dropped} candidates below min_score. To keep them, pass --min-score 0.")
    if report.warning is not None:
        print_message(report.warning)
    if report.query_truncated:
        print_message("The query was truncated to fit the model.")
