"""How an index lies in OpenSearch: its settings, its mapping, and a document's source.

One OpenSearch document a document, its passages nested in it, so that one write replaces them all and a search
counts documents. Metadata fields are keyed by a hash of their name, which is free text ("a.b", "a b"), with the
name and type in the property's own `meta`: two writers that add fields at once cannot overwrite each other, and
the server refuses the second of two types.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rerank.core.bound_filter import millis_of_date
from rerank.core.document import Document, EncodedDocument, Metadata, Passage, Scalar
from rerank.core.metadata import MAX_KEYWORD_CHARS, FieldType, MetadataSchema, values_of
from rerank.core.protocols import EncoderIdentity, IndexSpec

META = "rerank"
LAYOUT = 1
HEADED = "headed"
VECTOR = "passages.vector"
PASSAGE_TEXT = "passages.text"

_TYPES: Mapping[FieldType, Mapping[str, object]] = {
    FieldType.STRING: {"type": "keyword", "ignore_above": MAX_KEYWORD_CHARS},
    FieldType.NUMBER: {"type": "double"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "long"},
}
_UNSEARCHED: Mapping[str, object] = {"type": "keyword", "index": False, "doc_values": False}


def write_alias(generation: str) -> str:
    """The alias by which *generation* is written until it is published."""
    return f"{generation}-write"


def index_body(name: str, spec: IndexSpec, *, created: str) -> dict[str, Any]:
    """The body that makes an empty generation of *name*. It is refreshed only when asked, until it is published."""
    return {
        "settings": {
            "index": {
                "knn": True,
                "number_of_shards": 1,
                "auto_expand_replicas": "0-1",
                "refresh_interval": "-1",
                "max_inner_result_window": 10_000,
            }
        },
        "mappings": {
            "dynamic": False,
            "_meta": {META: _meta(name, spec, created)},
            "properties": {
                "doc_id": {"type": "keyword"},
                "title": {"type": "text", "index": False, "copy_to": HEADED},
                "text": {"type": "text", "index": False, "copy_to": HEADED},
                "long_text": {"type": "text", "index": False, "copy_to": HEADED},
                HEADED: {"type": "text", "analyzer": spec.analyzer},
                "content_hash": _UNSEARCHED,
                "metadata_json": _UNSEARCHED,
                "metadata": {"type": "object", "dynamic": False, "properties": {}},
                "passages": {"type": "nested", "dynamic": False, "properties": _passage_properties(spec)},
            },
        },
    }


def _passage_properties(spec: IndexSpec) -> dict[str, Any]:
    return {
        "start": {"type": "integer", "index": False},
        "end": {"type": "integer", "index": False},
        "text": {"type": "text", "analyzer": spec.analyzer},
        "vector": {
            "type": "knn_vector",
            "dimension": spec.encoder.dim,
            "method": {
                "name": "hnsw",
                "engine": spec.engine,
                "space_type": "cosinesimil",
                "parameters": {"m": 16, "ef_construction": 128},
            },
        },
    }


def _meta(name: str, spec: IndexSpec, created: str) -> dict[str, Any]:
    encoder = spec.encoder
    return {
        "layout": LAYOUT,
        "name": name,
        "created": created,
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim},
        "analyzer": spec.analyzer,
        "engine": spec.engine,
        "run_key": spec.run_key,
    }


def spec_of(meta: Mapping[str, Any]) -> IndexSpec:
    """The spec that *meta*, the mapping's own note, was written from."""
    encoder = meta["encoder"]
    return IndexSpec(
        EncoderIdentity(encoder["name"], encoder["fingerprint"], encoder["dim"]),
        analyzer=meta["analyzer"],
        engine=meta["engine"],
        run_key=meta["run_key"],
    )


def schema_of(mapping: Mapping[str, Any]) -> MetadataSchema:
    """The type of every metadata field in *mapping*."""
    properties = mapping["properties"]["metadata"].get("properties", {})
    return MetadataSchema({entry["meta"]["name"]: FieldType(entry["meta"]["type"]) for entry in properties.values()})


def field_key(name: str) -> str:
    """The property that holds the metadata field *name*."""
    return "f" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def field_properties(fields: Mapping[str, FieldType]) -> dict[str, Any]:
    """The mapping's part for *fields*."""
    properties = {
        field_key(name): {**_TYPES[kind], "meta": {"name": name, "type": str(kind)}} for name, kind in fields.items()
    }
    return {"properties": {"metadata": {"properties": properties}}}


def source_of(entry: EncodedDocument, schema: MetadataSchema) -> dict[str, Any]:
    """The OpenSearch document of *entry*.

    A document of one passage has its text once, as `text`. A longer one has it as `long_text`, which searches do not
    fetch, and its passages carry theirs.
    """
    document, several = entry.document, len(entry.passages) > 1
    whole = len(entry.passages) == 1 and entry.passages[0].text == document.text
    passages = []
    for passage, vector in zip(entry.passages, entry.vectors, strict=True):
        piece: dict[str, Any] = {"start": passage.start, "end": passage.end, "vector": vector.tolist()}
        if several or not whole:
            piece["text"] = passage.text
        passages.append(piece)
    return {
        "doc_id": document.doc_id,
        "title": document.title,
        "text" if whole else "long_text": document.text,
        "content_hash": entry.content_hash,
        "metadata_json": json.dumps(dict(document.metadata)),
        "metadata": {
            field_key(name): [_stored(member, schema.types[name]) for member in values_of(value)]
            for name, value in document.metadata.items()
        },
        "passages": passages,
    }


def document_of(source: Mapping[str, Any]) -> Document:
    """The document that *source* was written from."""
    metadata: Metadata = json.loads(source["metadata_json"])
    return Document(source["doc_id"], text_of(source), source["title"], metadata)


def text_of(source: Mapping[str, Any]) -> str:
    """The whole text of a document."""
    return str(source["long_text"] if "long_text" in source else source["text"])


def passage_of(source: Mapping[str, Any], piece: Mapping[str, Any], ordinal: int) -> Passage:
    """The passage that *piece*, of the document of *source*, was written from."""
    text = piece["text"] if "text" in piece else source["text"]
    return Passage(source["doc_id"], ordinal, source["title"], text, piece["start"], piece["end"])


def _stored(value: Scalar, kind: FieldType) -> Scalar:
    return millis_of_date(str(value)) if kind is FieldType.DATE else value
