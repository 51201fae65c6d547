"""Bodies by gzip, in both directions."""

from __future__ import annotations

import gzip
import zlib

from werkzeug.http import parse_accept_header

_WORTH_PACKING = 1024
_LEVEL = 3
"""As OpenSearch has it (`http.compression_level`)."""


class InvalidGzip(ValueError):
    """A body that is no single, whole gzip member."""


class DecompressedTooLarge(ValueError):
    """A body that would be longer than is allowed."""


def decompress(raw: bytes, limit: int) -> bytes:
    """What *raw* holds, at most *limit* bytes. Raises InvalidGzip and DecompressedTooLarge.

    Who sends several members, of which a server may read the first alone, is not read here in another way.
    """
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        data = stream.decompress(raw, limit + 1)
    except zlib.error as exc:
        raise InvalidGzip(str(exc)) from exc
    if len(data) > limit:
        raise DecompressedTooLarge(f"more than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise InvalidGzip("no single, whole member")
    return data


def compress_if_accepted(data: bytes, accepted: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """*data* by gzip, with the header that says so, where *accepted* (Accept-Encoding) allows it and it is worth it."""
    if len(data) < _WORTH_PACKING or parse_accept_header(accepted).quality("gzip") <= 0:
        return data, ()
    return gzip.compress(data, _LEVEL, mtime=0), (("content-encoding", "gzip"),)
