"""Reader of JSON lines: one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from rerank.core.errors import CorpusError
from rerank.ingest.lines import MAX_LINE_BYTES, Line
from rerank.ingest.record import Record, RecordFields, RejectedRecord, read_record


def read_json_lines(lines: Iterable[Line], fields: RecordFields, *, file: str) -> Iterator[Record | RejectedRecord]:
    """Yields the record of each line; skips blank lines."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for line in lines:
        if line.content is not None and not line.content.strip():
            continue
        try:
            values = _object(line, decoder)
        except CorpusError as exc:
            yield RejectedRecord(file, line.number, exc.message)
        else:
            yield read_record(values, fields, file=file, line=line.number)


def _object(line: Line, decoder: json.JSONDecoder) -> Mapping[str, object]:
    if line.content is None:
        raise CorpusError(
            f"the line must be at most {MAX_LINE_BYTES:,} bytes long. Split the text into several records"
        )
    try:
        value: object = decoder.decode(line.content.decode())
    except UnicodeDecodeError as exc:
        raise CorpusError(f"not UTF-8 at byte {exc.start + 1} of the line") from exc
    except json.JSONDecodeError as exc:
        raise CorpusError(f"not valid JSON: {exc.msg} at column {exc.colno}") from exc
    except RecursionError as exc:
        raise CorpusError("not valid JSON: nested too deeply") from exc
    except ValueError as exc:
        raise CorpusError(f"not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise CorpusError("each line must be a JSON object with an id and a text")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
