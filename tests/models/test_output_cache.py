"""Rules for the cache of model outputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.models.output_cache import CacheCounts, CacheKeys, OutputCache


def test_full_cache_evicts_least_recently_used_outputs() -> None:
    """The size stays within the limit, and recently used outputs stay."""
    cache = OutputCache(megabytes=1)
    for i in range(100):
        cache.put(b"%d" % i, i, size=20_000)
        assert cache.get(b"0") == 0

    assert cache.bytes <= 1 << 20
    kept = [i for i in range(100) if cache.get(b"%d" % i) is not None]
    assert kept == [0, *range(100 - len(kept) + 1, 100)]
    assert len(kept) == (1 << 20) // 20_400


def test_lookups_and_hits_are_counted() -> None:
    """A miss counts as a lookup, and a hit as both."""
    cache = OutputCache(megabytes=1)
    cache.put(b"a", 1.5, size=8)

    assert (cache.get(b"a"), cache.get(b"b")) == (1.5, None)
    assert cache.counts() == CacheCounts(lookups=2, hits=1)


def test_output_above_the_limit_is_not_stored() -> None:
    """0 megabytes disable the cache. An output larger than the cache is not stored."""
    for megabytes, size in ((0, 8), (1, 2 << 20)):
        cache = OutputCache(megabytes=megabytes)
        cache.put(b"a", 1.5, size=size)

        assert (cache.get(b"a"), cache.bytes) == (None, 0)


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)), max_size=20))
def test_different_inputs_have_different_keys(inputs: list[tuple[str, str, str]]) -> None:
    """The boundaries between prefix parts and text are part of the key."""
    keys = {parts: CacheKeys(*parts[:2]).key(parts[2]) for parts in inputs}

    assert len(set(keys.values())) == len(keys)
    assert {len(key) for key in keys.values()} <= {16}
