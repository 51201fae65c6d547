from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import StoreAnswerInvalid
from rerank.service.proxy.response_head import MAX_HEAD_BYTES, ResponseParser

BODY = bytes(range(256)) * 3
RESPONSES = {
    "length": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 768\r\n\r\n" + BODY,
    "chunked": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n300\r\n" + BODY + b"\r\n0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 768\r\n\r\n" + BODY,
}


@given(st.sampled_from(sorted(RESPONSES)), st.lists(st.integers(0, 900), max_size=6))
def test_response_parses_the_same_in_any_pieces(kind: str, cuts: list[int]) -> None:
    """TCP may split a response anywhere."""
    data = RESPONSES[kind]
    offsets = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parser = ResponseParser("GET")
    body = b""
    for start, stop in itertools.pairwise(offsets):
        if start < stop:
            parser.feed(data[start:stop])
            body += parser.take()
    assert parser.head is not None
    assert (parser.head.status, parser.head.header("x-a"), body) == (200, "1", BODY)
    assert (parser.complete, parser.reusable) == (True, True)


@pytest.mark.parametrize(
    ("data", "method", "complete"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "GET", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", "GET", False),
    ],
)
def test_response_without_body_is_complete_with_its_head(data: bytes, method: str, complete: bool) -> None:
    """The status or the method HEAD excludes a body."""
    parser = ResponseParser(method)
    parser.feed(data)
    assert (parser.complete, parser.take()) == (complete, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: 2\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * MAX_HEAD_BYTES,
    ],
)
def test_ambiguous_response_is_refused(data: bytes) -> None:
    """A head of unlimited length is refused too."""
    with pytest.raises(StoreAnswerInvalid):
        ResponseParser("GET").feed(data)
