"""What `rerank-cli doctor` has to say of models at work: on an index's language, and on judged queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rerank.cli.composition import opened_pipeline
from rerank.core.protocols import Index
from rerank.core.settings import Settings

SAMPLED = 60
"""Passages of an index that are looked at, found by vectors that point anywhere."""
DRAWS = 6
NOTABLE_SHARE = 0.2
MEASURE = "nDCG@10"


@dataclass(frozen=True, slots=True)
class Judgments:
    """The judged queries that the doctor is to ask."""

    data: Path
    index: str
    split: str | None
    queries: int | None


def readers(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The languages of the encoder and the rerankers that searches use, by name; none where a model says none."""
    from rerank.models.catalog import served
    from rerank.models.promotion import with_promoted

    return {entry.name: entry.languages for entry in served(with_promoted(settings))}


def changed_since_promotion(settings: Settings) -> str | None:
    """What is to be said of a promoted model whose files are no longer those that were compared; None when all is well.

    A file of promotions that cannot be read, and a folder that is gone, are told where the model is loaded.
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
    return f"{promotion.model} has changed since it was promoted; rerank-cli models promote compares it again"


def unread(index: Index, models: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """A sentence for each notable language of *index* that one of *models* does not read."""
    from rerank.models.language import language_shares

    shares = language_shares(_sample(index))
    for code, share in shares.items():
        blind = [name for name, languages in models.items() if languages and code not in languages]
        if share >= NOTABLE_SHARE and blind:
            yield (
                f"{share:.0%} of its passages look like {code}, which {' and '.join(blind)} does not say to read;"
                " search them by words (--mode text), or choose a model of that language"
            )


def _sample(index: Index) -> list[str]:
    import numpy as np

    random = np.random.default_rng(0)
    texts: dict[str, str] = {}
    for _ in range(DRAWS):
        vector = random.standard_normal(index.spec.encoder.dim).astype(np.float32)
        for match in index.knn(vector / np.linalg.norm(vector), k=SAMPLED // DRAWS):
            texts[match.passage.doc_id] = match.passage.text
    return list(texts.values())


def order(settings: Settings, judgments: Judgments) -> tuple[bool, str]:
    """Whether the re-ranked order is at least as good as the first stage's, and a sentence that says how it was found.

    Raises what evaluate raises, and CorpusError for judgments that cannot be read.
    """
    from rerank.cli.judged import judged_queries
    from rerank.cli.steps import Steps
    from rerank.core.evaluation import EvaluationOptions, evaluate

    judged = judged_queries(judgments.data, judgments.split, judgments.queries)
    options = EvaluationOptions(index=judgments.index, depth=settings.depth, mode=settings.mode)
    with opened_pipeline(settings, index=judgments.index) as pipeline, Steps("queries") as steps:
        found = evaluate(pipeline, judged, options, on_query=steps.advance)
    change = found.difference("reranked", "first_stage")[MEASURE]
    means = [found.means(name)[MEASURE] for name in ("first_stage", "reranked")]
    figures = (
        f"{MEASURE} {means[0]:.4f} before, {means[1]:.4f} after re-ranking by {found.reranker}"
        f" ({change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}], {len(judged.queries)} queries)"
    )
    if change.mean >= 0:
        return True, figures
    sure = "lowers" if change.high < 0 else "may lower"
    return False, f"{figures}: it {sure} the order; rerank-cli models calibrate fits how much say it gets"
