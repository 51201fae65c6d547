from __future__ import annotations

from rerank.core.search import RerankReport
from rerank.service.proxy.search.hits import RankedHit
from rerank.service.proxy.search.ranking_cache import (
    MAX_HITS,
    MAX_RANKINGS,
    TTL_SECONDS,
    CachedRanking,
    RankingCache,
)

REPORT = RerankReport(applied=True, reason=None, model="m", candidates=1)
HIT = RankedHit(("index", "id"), 1, 1.0, 0.5)


def ranking(hits: int) -> CachedRanking:
    """Returns a ranking of that length."""
    return CachedRanking((HIT,) * hits, REPORT, None)


def test_ranking_expires_after_its_ttl() -> None:
    """A read does not extend the time."""
    now = [0.0]
    cache = RankingCache(clock=lambda: now[0])
    cache.put("a", ranking(1))
    now[0] = TTL_SECONDS - 1
    assert cache.get("a") == ranking(1)
    now[0] = TTL_SECONDS
    assert cache.get("a") is None


def test_number_of_rankings_is_limited() -> None:
    """The least recently used ranking is evicted."""
    cache = RankingCache()
    for i in range(MAX_RANKINGS):
        cache.put(str(i), ranking(1))
    assert cache.get("0") is not None
    cache.put("one more", ranking(1))
    assert [cache.get(name) is not None for name in ("0", "1", "2", "one more")] == [True, False, True, True]


def test_total_number_of_hits_is_limited() -> None:
    """Replacing a ranking frees its hits. A ranking above the limit is not cached."""
    cache = RankingCache()
    half = ranking(MAX_HITS // 2)
    for name in ("a", "b", "b", "c"):
        cache.put(name, half)
    assert [cache.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]
    cache.put("c", ranking(MAX_HITS + 1))
    assert [cache.get(name) is not None for name in ("b", "c")] == [True, False]
