"""Index settings, mapping, and conversion between documents and their sources on the server.

Each document is one document of the server with nested passages: one write replaces all passages, and a search counts
documents. The property of a metadata field is a hash of the field's name, which can be any text ("a.b", "a b"). The
name and type are in the property's `meta`. So two writers can add fields at the same time, and the server refuses a
second type for the same field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rerank.core.bound_filter import millis_of_date
from rerank.core.document import Document, EncodedDocument, Metadata, Passage, Scalar
from rerank.core.metadata import MAX_KEYWORD_CHARS, FieldType, MetadataSchema, values_of
from rerank.core.protocols import DEFAULT_VECTOR_INDEX, EncoderIdentity, IndexSpec
from rerank.index.search_server.product import Product

META = "rerank"
LAYOUT_VERSION = 1
TITLE_AND_TEXT = "headed"
VECTOR = "passages.vector"
PASSAGE_TEXT = "passages.text"

_TYPES: Mapping[FieldType, Mapping[str, object]] = {
    FieldType.STRING: {"type": "keyword", "ignore_above": MAX_KEYWORD_CHARS},
    FieldType.NUMBER: {"type": "double"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "long"},
}
_STORED_ONLY: Mapping[str, object] = {"type": "keyword", "index": False, "doc_values": False}


@dataclass(frozen=True, slots=True)
class Replaced:
    """Live generation at the creation of another one, and the number of its last operation at that time."""

    generation: str
    last_operation: int


def write_alias(generation: str) -> str:
    """Returns the alias that writes to *generation* use."""
    return f"{generation}-write"


def index_body(
    product: Product, name: str, spec: IndexSpec, *, created: str, replaces: Replaced | None = None
) -> dict[str, Any]:
    """Returns the body that creates an empty generation of *name*. Automatic refreshes start when it is published.

    replaces: the live generation, of which later changes are replayed at publication.
    """
    return {
        "settings": {"index": {**product.index_settings(), "refresh_interval": "-1"}},
        "mappings": {
            "dynamic": False,
            "_meta": {META: _meta(name, spec, created, replaces)},
            "properties": {
                "doc_id": {"type": "keyword"},
                "title": {"type": "text", "index": False, "copy_to": TITLE_AND_TEXT},
                "text": {"type": "text", "index": False, "copy_to": TITLE_AND_TEXT},
                "long_text": {"type": "text", "index": False, "copy_to": TITLE_AND_TEXT},
                TITLE_AND_TEXT: {"type": "text", "analyzer": spec.analyzer},
                "content_hash": _STORED_ONLY,
                "metadata_json": _STORED_ONLY,
                "metadata": {"type": "object", "dynamic": False, "properties": {}},
                "passages": {"type": "nested", "dynamic": False, "properties": _passage_properties(product, spec)},
            },
        },
    }


def _passage_properties(product: Product, spec: IndexSpec) -> dict[str, Any]:
    return {
        "start": {"type": "integer", "index": False},
        "end": {"type": "integer", "index": False},
        "text": {"type": "text", "analyzer": spec.analyzer},
        "vector": product.vector_property(spec),
    }


def _meta(name: str, spec: IndexSpec, created: str, replaces: Replaced | None) -> dict[str, Any]:
    encoder = spec.encoder
    return {
        "layout": LAYOUT_VERSION,
        "name": name,
        "created": created,
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim},
        "analyzer": spec.analyzer,
        "engine": spec.engine,
        "vector_index": spec.vector_index,
        "run_key": spec.run_key,
        "replaces": None if replaces is None else asdict(replaces),
    }


def meta_of(mapping: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns the `_meta` entry of *mapping* if this service wrote it; None for an index of another program."""
    meta = mapping.get("_meta")
    entry = meta.get(META) if isinstance(meta, Mapping) else None
    if not isinstance(entry, Mapping) or entry.get("layout") != LAYOUT_VERSION:
        return None
    try:
        spec_of(entry)
        replaced_of(entry)
        schema_of(mapping)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return entry if isinstance(entry.get("name"), str) and isinstance(entry.get("created"), str) else None


def spec_of(meta: Mapping[str, Any]) -> IndexSpec:
    """Returns the spec in *meta*, which is the `_meta` entry of a mapping."""
    encoder = meta["encoder"]
    return IndexSpec(
        EncoderIdentity(encoder["name"], encoder["fingerprint"], encoder["dim"]),
        analyzer=meta["analyzer"],
        engine=meta["engine"],
        # Indexes of versions before this key are on OpenSearch, which does not use it.
        vector_index=meta.get("vector_index", DEFAULT_VECTOR_INDEX),
        run_key=meta["run_key"],
    )


def replaced_of(meta: Mapping[str, Any]) -> Replaced | None:
    """Returns the generation that *meta*, the `_meta` entry of a mapping, names as the one to replace."""
    replaces = meta.get("replaces")
    return None if replaces is None else Replaced(replaces["generation"], replaces["last_operation"])


def schema_of(mapping: Mapping[str, Any]) -> MetadataSchema:
    """Returns the types of the metadata fields in *mapping*."""
    properties = mapping["properties"]["metadata"].get("properties", {})
    return MetadataSchema({entry["meta"]["name"]: FieldType(entry["meta"]["type"]) for entry in properties.values()})


def field_key(name: str) -> str:
    """Returns the property name of the metadata field *name*."""
    return "f" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def field_properties(fields: Mapping[str, FieldType]) -> dict[str, Any]:
    """Returns the part of the mapping that defines *fields*."""
    properties = {
        field_key(name): {**_TYPES[kind], "meta": {"name": name, "type": str(kind)}} for name, kind in fields.items()
    }
    return {"properties": {"metadata": {"properties": properties}}}


def source_of(entry: EncodedDocument, schema: MetadataSchema) -> dict[str, Any]:
    """Returns the source of *entry* on the server.

    The text of a document with one passage is stored once, in `text`. The text of a longer document is in `long_text`,
    which searches do not fetch, and each passage stores its own text.
    """
    document = entry.document
    single = len(entry.passages) == 1 and entry.passages[0].text == document.text
    passages = []
    for passage, vector in zip(entry.passages, entry.vectors, strict=True):
        nested: dict[str, Any] = {"start": passage.start, "end": passage.end, "vector": vector.tolist()}
        if not single:
            nested["text"] = passage.text
        passages.append(nested)
    return {
        "doc_id": document.doc_id,
        "title": document.title,
        "text" if single else "long_text": document.text,
        "content_hash": entry.content_hash,
        "metadata_json": json.dumps(dict(document.metadata)),
        "metadata": {
            field_key(name): [_stored_value(member, schema.types[name]) for member in values_of(value)]
            for name, value in document.metadata.items()
        },
        "passages": passages,
    }


def document_of(source: Mapping[str, Any]) -> Document:
    """Returns the document in *source*."""
    metadata: Metadata = json.loads(source["metadata_json"])
    return Document(source["doc_id"], text_of(source), source["title"], metadata)


def text_of(source: Mapping[str, Any]) -> str:
    """Returns the full text of the document in *source*."""
    return str(source["long_text"] if "long_text" in source else source["text"])


def passage_of(source: Mapping[str, Any], nested: Mapping[str, Any], ordinal: int) -> Passage:
    """Returns the passage in *nested*, an entry of `passages` in *source*."""
    text = nested["text"] if "text" in nested else source["text"]
    return Passage(source["doc_id"], ordinal, source["title"], text, nested["start"], nested["end"])


def _stored_value(value: Scalar, kind: FieldType) -> Scalar:
    if kind is FieldType.DATE:
        return millis_of_date(str(value))
    # Lucene orders -0.0 before 0.0; the sum is 0.0.
    return value + 0.0 if isinstance(value, float) else value
