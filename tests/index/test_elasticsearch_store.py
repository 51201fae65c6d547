"""Tests of the Elasticsearch store: the contract on a real server, and refusals on a scripted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from rerank.core.document import Document, EncodedDocument, Passage
from rerank.core.errors import SettingError, StoreError
from rerank.core.filters import parse_filter
from rerank.core.protocols import EncoderIdentity, Index, IndexSpec, Store
from rerank.core.setting_types import VectorIndex
from rerank.index.elasticsearch import exact_search
from rerank.index.elasticsearch.product import Elasticsearch
from rerank.index.elasticsearch.vector_kinds import VECTOR_KINDS
from rerank.index.opening import open_store, product_of
from rerank.index.search_server.mapping import index_body
from rerank.index.search_server.server_info import ServerInfo, server_info
from tests.contracts.store import ENCODER, StoreContract, ids
from tests.index.scripted_server import ScriptedServer

DIM = 64
WIDE = EncoderIdentity("wide", "f", DIM)
QUERY = np.eye(DIM, dtype=np.float32)[0]


def at_cosine(doc_id: str, *cosines: float, **metadata: str) -> EncodedDocument:
    """Returns a document with one passage per cosine to QUERY."""
    rng = np.random.default_rng(list(doc_id.encode()))
    other = rng.normal(size=(len(cosines), DIM))
    other[:, 0] = 0
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    along = np.array(cosines)[:, None]
    vectors = (along * QUERY + np.sqrt(1 - along**2) * other).astype(np.float32)
    texts = [f"passage {i}" for i in range(len(cosines))]
    passages = tuple(Passage(doc_id, i, "", text, 10 * i, 10 * i + 9) for i, text in enumerate(texts))
    document = Document(doc_id, " ".join(texts), "", metadata)
    return EncodedDocument(document, passages, vectors, document.content_hash())


class TestElasticsearchStore(StoreContract):
    """Contract tests of the Elasticsearch store."""

    @pytest.fixture
    def connect(self, elasticsearch_url: str) -> Callable[[], Store]:
        return lambda: open_store(elasticsearch_url)

    @pytest.mark.parametrize("kind", VECTOR_KINDS)
    @pytest.mark.parametrize("exact", [False, True])
    def test_every_vector_index_returns_known_cosines(self, store: Store, name: str, kind: str, exact: bool) -> None:
        """Scores are the cosines of the full vectors, also if the index has quantized ones. The order follows them."""
        index = store.create(name, IndexSpec(WIDE, vector_index=kind))
        cosines = {f"d{i:03}": round(0.99 - 0.01 * i, 2) for i in range(150)}
        index.upsert([at_cosine(doc_id, cosine, 0.0) for doc_id, cosine in cosines.items()])
        index.refresh()
        found = index.knn(QUERY, k=20, exact=exact)
        assert [match.passage.passage_id for match in found] == [f"{doc_id}#0" for doc_id in list(cosines)[:20]]
        assert [match.score for match in found] == pytest.approx(list(cosines.values())[:20], abs=1e-5)
        assert index.spec == IndexSpec(WIDE, vector_index=kind)

    def test_exact_search_merges_its_ranges(self, store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An index with more passages than one request can compare is searched in ranges, after updates too."""
        monkeypatch.setattr(exact_search, "MAX_CANDIDATES", 7)
        index = store.create(name, IndexSpec(WIDE))
        index.upsert([at_cosine(f"d{i:02}", 0.5, 0.01 * i, side="left" if i % 2 else "right") for i in range(30)])
        index.delete(["d07", "d20"])
        index.upsert([at_cosine("d03", 0.9, side="left"), at_cosine("d04", -0.5, 0.8, side="right")])
        index.refresh()
        equal = [f"d{i:02}" for i in range(30) if i not in (3, 4, 7, 20)]
        assert [match.passage.doc_id for match in index.knn(QUERY, k=6, exact=True)] == ["d03", "d04", *equal[:4]]
        left = parse_filter({"term": {"metadata.side": "left"}})
        found = index.knn(QUERY, k=3, exact=True, filter=left)
        assert [match.passage.doc_id for match in found] == ["d03", "d01", "d05"]

    def test_text_of_another_language_uses_its_analyzer(self, store: Store, name: str) -> None:
        """The Italian analyzer matches inflected words."""
        index = store.create(name, IndexSpec(WIDE, analyzer="italian"))
        document = Document("a", "I giornali del mattino", "")
        passage = Passage("a", 0, "", document.text, 0, len(document.text))
        index.upsert([EncodedDocument(document, (passage,), QUERY[None], document.content_hash())])
        index.refresh()
        assert [match.passage.doc_id for match in index.match("giornale", k=5)] == ["a"]

    def test_index_is_created_as_documented(self, index: Index) -> None:
        """The approximate search of an empty index of the default kind returns nothing."""
        assert (index.spec.vector_index, ids(index, "x", k=3)) == ("int8_hnsw", [])


def test_settings_and_store_have_the_same_kinds() -> None:
    """The setting vector_index accepts exactly the kinds of the store."""
    assert get_args(VectorIndex) == tuple(VECTOR_KINDS)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({"distribution": "opensearch", "number": "3.5.0"}, ServerInfo("OpenSearch", "3.5.0")),
        ({"distribution": "opensearch", "number": "7.10.2"}, ServerInfo("OpenSearch", "7.10.2")),
        ({"build_flavor": "default", "number": "8.19.9"}, ServerInfo("Elasticsearch", "8.19.9")),
        (
            {"build_flavor": "serverless", "number": "8.11.0"},
            ServerInfo("Elasticsearch", "8.11.0", serverless=True),
        ),
        ({"number": "1.0"}, None),
        ("text", None),
    ],
)
def test_server_is_recognized_by_its_version(version: object, expected: ServerInfo | None) -> None:
    """The server's own response determines the product."""
    assert server_info({"version": version}) == expected


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (ServerInfo("Elasticsearch", "8.11.4"), "8.12 or later, got 8.11.4"),
        (ServerInfo("Elasticsearch", "7.17.0"), "8.12 or later, got 7.17.0"),
        (ServerInfo("Elasticsearch"), "cluster privilege monitor"),
        (ServerInfo("OpenSearch", "2.9.0"), "2.11 or later, got 2.9.0"),
    ],
)
def test_old_or_unknown_version_is_refused(info: ServerInfo, message: str) -> None:
    """The message names the lowest version or the missing privilege."""
    with pytest.raises(StoreError, match=message):
        product_of(info)


@pytest.mark.parametrize("number", ["8.12.0", "8.19.9", "9.0.0", "9.3.1"])
def test_supported_version_is_accepted(number: str) -> None:
    """Every version from 8.12 on is accepted."""
    assert product_of(ServerInfo("Elasticsearch", number)).name == "Elasticsearch"


def test_serverless_index_has_no_shard_settings() -> None:
    """Serverless refuses shard settings and refresh intervals below 5 seconds."""
    product = product_of(ServerInfo("Elasticsearch", "8.11.0", serverless=True))
    body = index_body(product, "n", IndexSpec(WIDE), created="now")
    assert body["settings"] == {"index": {"refresh_interval": "-1"}}
    assert (product.refresh_interval, product.merges_segments) == ("5s", False)


def refusing(scripted: Callable[..., ScriptedServer], version: str, *responses: tuple[int, object]) -> ScriptedServer:
    """Returns a server of *version* with these responses to the requests after `GET /`."""
    info = {"version": {"number": version, "build_flavor": "default"}}
    return scripted(*((status, "application/json", json.dumps(body)) for status, body in ((200, info), *responses)))


def error(kind: str, reason: str) -> object:
    """Returns an error body."""
    return {"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}}


PRIVILEGES_OFF = (400, error("illegal_argument_exception", "no handler found for uri [/_security]"))


@pytest.mark.parametrize(
    ("version", "spec", "responses", "message"),
    [
        ("8.11.0", IndexSpec(WIDE), [], "8.12 or later"),
        ("8.17.0", IndexSpec(WIDE, vector_index="bbq_hnsw"), [], "requires Elasticsearch 8.18"),
        ("9.1.0", IndexSpec(replace(WIDE, dim=4097)), [], "between 1 and 4096 dimensions, got 4097"),
        ("9.1.0", IndexSpec(ENCODER.identity, vector_index="bbq_hnsw"), [], "between 64 and 4096 dimensions, got 32"),
        ("9.1.0", IndexSpec(replace(WIDE, dim=65), vector_index="int4_hnsw"), [], "even number"),
        (
            "9.1.0",
            IndexSpec(WIDE),
            [(200, {"index": {"n": {"manage": True, "read": True, "write": False}, "n--*": {"manage": True}}})],
            "lacks the index privileges read, write for",
        ),
        (
            "9.1.0",
            IndexSpec(WIDE),
            [(403, error("security_exception", "current license is non-compliant for [security]"))],
            "because of its license",
        ),
        (
            "9.1.0",
            IndexSpec(WIDE),
            [
                PRIVILEGES_OFF,
                (403, error("cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)]")),
            ],
            "does not allow changes",
        ),
        (
            "9.1.0",
            IndexSpec(WIDE),
            [PRIVILEGES_OFF, (401, error("security_exception", "unable to authenticate with provided credentials"))],
            "denied access .* store_api_key",
        ),
    ],
)
def test_index_that_the_server_does_not_allow_is_refused_before_a_write(
    scripted: Callable[..., ScriptedServer],
    version: str,
    spec: IndexSpec,
    responses: list[tuple[int, object]],
    message: str,
) -> None:
    """create() raises StoreError with the reason and the fix, and sends no document."""
    server = refusing(scripted, version, *responses)
    with pytest.raises(StoreError, match=message):
        open_store(server.url).create("n", spec)
    assert not any("mappings" in body for body in server.requests)


def test_version_without_rescoring_is_searched_without_it(scripted: Callable[..., ScriptedServer]) -> None:
    """Elasticsearch before 8.18 does not know `rescore_vector`."""
    body = index_body(Elasticsearch(ServerInfo("Elasticsearch", "8.17.0")), "n", IndexSpec(WIDE), created="now")
    mapping = (200, {"n--1": {"mappings": body["mappings"]}})
    server = refusing(scripted, "8.17.0", mapping, (200, {"hits": {"hits": []}}))
    assert open_store(server.url).open("n").knn(QUERY, k=5) == []
    assert "rescore_vector" not in json.loads(server.requests[-1])["knn"]
    assert json.loads(server.requests[-1])["knn"]["num_candidates"] == 300


def test_api_key_is_sent_with_every_request(scripted: Callable[..., ScriptedServer]) -> None:
    """The key replaces user and password."""
    server = refusing(scripted, "9.1.0", (200, {}))
    assert open_store(server.url, api_key="abc==").indexes() == []
    assert {headers["authorization"] for headers in server.headers} == {"ApiKey abc=="}


def test_user_and_password_are_sent_as_basic_authentication(scripted: Callable[..., ScriptedServer]) -> None:
    """Percent-encoded characters are decoded."""
    server = refusing(scripted, "9.1.0", (200, {}))
    open_store(server.url.replace("http://", "http://elastic:p%40ss@")).indexes()
    assert {headers["authorization"] for headers in server.headers} == {"Basic ZWxhc3RpYzpwQHNz"}


def test_contradicting_credentials_are_refused(tmp_path: Path) -> None:
    """A user beside an API key and a certificate file without certificates are errors without a connection."""
    with pytest.raises(SettingError, match="store_api_key"):
        open_store("https://user:password@host:9200", api_key="abc")
    (tmp_path / "empty.pem").write_text("none")
    for file in ("empty.pem", "missing.pem"):
        with pytest.raises(SettingError, match="store_ca_file must be a PEM file"):
            open_store("https://host:9200", ca_file=str(tmp_path / file))
