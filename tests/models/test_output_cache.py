from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rerank.models.output_cache import CacheCounts, CacheKeys, OutputCache


def test_the_least_recently_used_answers_go_first_and_the_bytes_are_kept_to() -> None:
    """A megabyte holds a megabyte: what was asked for lately stays."""
    cache = OutputCache(megabytes=1)
    for i in range(100):
        cache.put(b"%d" % i, i, size=20_000)
        assert cache.get(b"0") == 0

    assert cache.bytes <= 1 << 20
    kept = [i for i in range(100) if cache.get(b"%d" % i) is not None]
    assert kept == [0, *range(100 - len(kept) + 1, 100)]
    assert len(kept) == (1 << 20) // 20_400


def test_hits_and_misses_are_counted() -> None:
    """How often was asked, and how often it was there."""
    cache = OutputCache(megabytes=1)
    cache.put(b"a", 1.5, size=8)

    assert (cache.get(b"a"), cache.get(b"b")) == (1.5, None)
    assert cache.counts() == CacheCounts(lookups=2, hits=1)


def test_no_megabytes_keep_nothing() -> None:
    """0 switches the cache off; an answer larger than all of it is left out."""
    for megabytes, size in ((0, 8), (1, 2 << 20)):
        cache = OutputCache(megabytes=megabytes)
        cache.put(b"a", 1.5, size=size)

        assert (cache.get(b"a"), cache.bytes) == (None, 0)


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)), max_size=20))
def test_different_questions_have_different_keys(asked: list[tuple[str, str, str]]) -> None:
    """Where one part ends and the next begins is part of the key."""
    keys = {question: CacheKeys(*question[:2]).key(question[2]) for question in asked}

    assert len(set(keys.values())) == len(keys)
    assert {len(key) for key in keys.values()} <= {16}
