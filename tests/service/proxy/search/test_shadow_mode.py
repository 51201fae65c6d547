from __future__ import annotations

from pathlib import Path

import pytest

from rerank.service.proxy.search.shadow_log import read_shadow_log
from rerank.service.proxy.search.shadow_mode import RankingDifference
from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded
from tests.service.proxy.sample_index import INDEX, MATCH, fill, rerank_ext, rerank_result, search
from tests.service.proxy.scripted_server import wait_until


def test_shadow_mode_measures_without_changing_responses(opensearch_url: str, tmp_path: Path) -> None:
    """Plain searches keep the order of OpenSearch. A search that requests reranking is reranked."""
    fill(opensearch_url)
    fill(opensearch_url, "plain")
    log = tmp_path / "shadow.jsonl"
    indexes = f"{INDEX}=title,text"
    with start_proxy(
        opensearch_url, tmp_path, proxy_indexes=indexes, proxy_shadow=1.0, proxy_shadow_log=str(log)
    ) as service:
        wait_until_loaded(service)
        plain = search(service, {"query": MATCH, "size": 3})
        assert (rerank_result(plain), "_rerank" in plain.json()) == (("absent", "absent"), False)
        search(service, {"query": {"match_all": {}}})
        search(service, {"query": MATCH}, "/plain/_search")
        assert rerank_result(search(service, {"query": MATCH, "ext": rerank_ext()})) == ("true", "")

        def metrics() -> str:
            return service.send("GET", "/metrics").body.decode()

        wait_until(lambda: 'rerank_shadow_searches_total{outcome="none"} 1.0' in metrics())
        assert 'rerank_shadow_searches_total{outcome="compared"} 1.0' in metrics()
        assert "rerank_shadow_overlap_at_10_count 1.0" in metrics()
        assert "rerank_shadow_rank_correlation_count 1.0" in metrics()
    [record] = read_shadow_log(log)
    assert (record.index, record.query) == (INDEX, "green tea leaves")
    assert {index for index, _ in record.before} == {INDEX}
    assert set(record.before) == set(record.after)
    assert all(record.texts)


@pytest.mark.parametrize(
    ("before", "after", "overlap", "correlation"),
    [
        ("abcdefghijkl", "abcdefghijkl", 1.0, 1.0),
        ("abcdefghijkl", "lkjihgfedcba", 0.8, -1.0),
        ("abc", "acb", 1.0, 0.5),
        ("a", "a", 1.0, 1.0),
        ("abcd", "ba", 0.5, -1.0),
    ],
)
def test_difference_has_overlap_and_rank_correlation(
    before: str, after: str, overlap: float, correlation: float
) -> None:
    """The overlap is the common fraction of the first ten hits, the correlation is Spearman's over the common hits."""
    keys = {name: ("i", name) for name in before}
    difference = RankingDifference.between([keys[name] for name in before], [keys[name] for name in after])
    assert (difference.overlap, round(difference.correlation, 9)) == (overlap, correlation)
