"""Checks of `rerank-cli doctor` on models in use: the languages of an index, and the order of judged queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rerank.cli.searched_index import SearchedIndex, opened_searches
from rerank.core.protocols import Index
from rerank.core.settings import Settings

SAMPLED_PASSAGES = 60
"""Number of passages whose language is detected, retrieved by random vectors."""
RANDOM_VECTORS = 6
LANGUAGE_THRESHOLD = 0.2
"""Lowest fraction of passages in an unsupported language that causes a warning."""
MEASURE = "nDCG@10"


@dataclass(frozen=True, slots=True)
class Judgments:
    """Judged queries to evaluate, and the index of their documents."""

    data: Path
    index: SearchedIndex
    split: str | None
    queries: int | None


def model_languages(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Returns the languages of the encoder and the rerankers by name; empty where a model states none."""
    from rerank.models.catalog import served
    from rerank.models.promotion import with_promoted

    return {entry.name: entry.languages for entry in served(with_promoted(settings))}


def changed_since_promotion(settings: Settings) -> str | None:
    """Returns a warning if the files of the promoted model have changed since the promotion, else None.

    Unreadable promotion records and missing model folders are reported where the model is loaded.
    """
    from rerank.core.errors import RerankError
    from rerank.models.catalog import resolve
    from rerank.models.promotion import Promotions

    try:
        promotion = Promotions(Path(settings.models_home)).current()
        if promotion is None or resolve(promotion.model, role="reranker").fingerprint == promotion.fingerprint:
            return None
    except RerankError:
        return None
    return f"{promotion.model} has changed since its promotion. Compare it again: rerank-cli models promote"


def unsupported_languages(index: Index, models: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Returns a warning for each frequent language of *index* that one of *models* does not support."""
    from rerank.models.language import language_fractions

    for code, fraction in language_fractions(_sample(index)).items():
        unsupported = [name for name, languages in models.items() if languages and code not in languages]
        if fraction >= LANGUAGE_THRESHOLD and unsupported:
            yield (
                f"{fraction:.0%} of the passages appear to be in language {code}, which is not supported by"
                f" {' and '.join(unsupported)}. Search with --mode text, or choose a model for this language."
            )


def _sample(index: Index) -> list[str]:
    import numpy as np

    random = np.random.default_rng(0)
    texts: dict[str, str] = {}
    for _ in range(RANDOM_VECTORS):
        vector = random.standard_normal(index.spec.encoder.dim).astype(np.float32)
        for match in index.knn(vector / np.linalg.norm(vector), k=SAMPLED_PASSAGES // RANDOM_VECTORS):
            texts[match.passage.doc_id] = match.passage.text
    return list(texts.values())


def judged_order(settings: Settings, judgments: Judgments) -> tuple[bool, str]:
    """Compares the reranked order with the first stage's order on judged queries.

    Returns whether reranking keeps or improves the order, and a sentence with the figures. Raises what evaluate
    raises, and CorpusError when the judgments cannot be read.
    """
    from rerank.cli.judgments import judged_queries
    from rerank.cli.progress import StepProgress
    from rerank.core.evaluation import EvaluationOptions, evaluate

    judged = judged_queries(judgments.data, judgments.split, judgments.queries)
    options = EvaluationOptions(index=judgments.index.name, depth=settings.depth, mode=settings.mode)
    with opened_searches(settings, judgments.index) as searches, StepProgress("queries") as progress:
        result = evaluate(searches, judged, options, on_query=progress.advance)
    change = result.difference("reranked", "first_stage")[MEASURE]
    before, after = (result.means(name)[MEASURE] for name in ("first_stage", "reranked"))
    figures = (
        f"{MEASURE} {before:.4f} in the first stage, {after:.4f} reranked by {result.reranker}"
        f" ({change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}], {len(judged.queries)} queries)"
    )
    if result.documents.warning is not None:
        figures += f". {result.documents.warning.removesuffix('.')}"
    if change.mean >= 0:
        return True, figures
    effect = "lowers" if change.high < 0 else "may lower"
    return False, f"{figures}: reranking {effect} the quality. Fit the weights: rerank-cli models calibrate"
