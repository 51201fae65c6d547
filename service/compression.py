"""gzip compression of request and response bodies."""

from __future__ import annotations

import gzip
import zlib

from werkzeug.http import parse_accept_header

_MIN_BYTES = 1024
_LEVEL = 3
"""OpenSearch's default (`http.compression_level`)."""


class InvalidGzip(ValueError):
    """A body that is not one complete gzip member or zlib stream."""


class DecompressedTooLarge(ValueError):
    """A body that exceeds the size limit after decompression."""


def decompress(raw: bytes, limit: int) -> bytes:
    """Returns the content of *raw*, at most *limit* bytes. Raises InvalidGzip and DecompressedTooLarge.

    Rejects a body of several members: servers that read only the first one would see a different request.
    """
    return _decompress(raw, limit, zlib.MAX_WBITS | 16)


def inflate(raw: bytes, limit: int) -> bytes:
    """Returns the content of the zlib stream *raw*, the encoding `deflate`. Raises as decompress()."""
    return _decompress(raw, limit, zlib.MAX_WBITS)


def _decompress(raw: bytes, limit: int, wbits: int) -> bytes:
    stream = zlib.decompressobj(wbits=wbits)
    try:
        data = stream.decompress(raw, limit + 1)
    except zlib.error as exc:
        raise InvalidGzip(str(exc)) from exc
    if len(data) > limit:
        raise DecompressedTooLarge(f"more than {limit} bytes")
    if not stream.eof:
        raise InvalidGzip("the stream ends too early")
    if stream.unused_data:
        raise InvalidGzip("data follows the first member")
    return data


def compress_if_accepted(data: bytes, accept_encoding: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Returns *data* and its headers, compressed if *accept_encoding* allows gzip and the data is not small."""
    if len(data) < _MIN_BYTES or parse_accept_header(accept_encoding).quality("gzip") <= 0:
        return data, ()
    return gzip.compress(data, _LEVEL, mtime=0), (("content-encoding", "gzip"),)
