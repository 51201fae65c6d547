"""Limits on the number of values and the nesting of JSON, checked on the bytes before they are parsed.

A parsed value takes up to 70 bytes of memory per byte of JSON: 32 MB of `[],` become 1 GB. Neither `json`, msgspec nor
orjson limits the number of values; counting bytes takes a fiftieth of the time of parsing them.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_NESTING = 100
"""Maximum depth of nested objects and lists.

Three times what OpenSearch's deepest filter needs, and far below what exhausts the stack of a recursive function.
"""

VALUES_PER_MEGABYTE = 25_000
"""Maximum number of values per megabyte of the largest accepted body: one value in 40 bytes."""

_OPENING = b"[{"
_STRUCTURE = b"[]{},"
_OTHER_BYTES = bytes(set(range(256)) - set(_STRUCTURE))


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits of one body. values: number of commas and opening brackets, which is one or two for each value."""

    values: int
    nesting: int = MAX_NESTING

    @classmethod
    def of_body(cls, max_bytes: int) -> JsonLimits:
        """Returns the limits of bodies of up to *max_bytes*."""
        return cls(max(1, max_bytes >> 20) * VALUES_PER_MEGABYTE)

    def exceeded_by(self, data: bytes) -> str | None:
        """Returns the rule that the JSON in *data* (UTF-8) breaks, or None. Invalid JSON can break any rule or none.

        Takes linear time, and memory for a copy of *data* at most.
        """
        structure = sum(data.count(byte) for byte in (b"[", b"{", b","))
        opening = data.count(b"[") + data.count(b"{")
        if structure + data.count(b'"') <= self.values and opening <= self.nesting:
            return None
        if b"\\" in data:
            # In this order: the second of two backslashes escapes nothing.
            data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        # A key and a value have two quotes each.
        if data.count(b'"') > 4 * self.values:
            return self._too_many()
        outside = b"".join(part.translate(None, _OTHER_BYTES) for part in data.split(b'"')[::2])
        if len(outside) - outside.count(b"]") - outside.count(b"}") > self.values:
            return self._too_many()
        return self._too_deep() if _exceeds(outside, self.nesting) else None

    def _too_many(self) -> str:
        return f"must have at most {self.values:,} values"

    def _too_deep(self) -> str:
        return f"must not be nested more than {self.nesting} levels deep"


def _exceeds(structure: bytes, nesting: int) -> bool:
    """Returns True if the brackets and braces of *structure* are nested deeper than *nesting*."""
    depth = 0
    for byte in structure.translate(None, b","):
        depth += 1 if byte in _OPENING else -1
        if depth > nesting:
            return True
        if depth < 0:
            # The parser reports the error.
            return False
    return False
