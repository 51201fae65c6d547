"""All settings in one frozen object."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rerank.core.redaction import masked_location
from rerank.core.setting_types import (
    Analyzer,
    ApiKeys,
    Engine,
    Fusion,
    Mode,
    ModelNames,
    Names,
    PathPrefix,
    Precision,
    ProxyIndexes,
    Runtime,
    StoreLocation,
    VectorIndex,
)

MAX_RESULTS = 10_000
"""Limit of k and depth: the default result window of OpenSearch."""


MAX_TIMEOUT_MS = 3_600_000
"""Longest time budget: one hour, in milliseconds."""


class Settings(BaseModel):
    """All settings. The description of a field is the help text of its flag."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    store: StoreLocation = Field(
        "rerank-data",
        description="Store of the indexes: a folder, http(s)://[user:password@]host:port of an OpenSearch or "
        "Elasticsearch server, or cloud_id:NAME:BASE64.",
    )
    store_api_key: str | None = Field(
        None, min_length=1, description="API key of the search server, in place of user and password."
    )
    store_ca_file: str | None = Field(
        None, min_length=1, description="PEM file of the authorities that sign the search server's certificate."
    )
    encoder: str = Field(
        "default", min_length=1, description="Bi-encoder: a built-in name, a model folder or a hub id."
    )
    reranker: str = Field(
        "default", min_length=1, description="Cross-encoder: a built-in name, a model folder or a hub id."
    )
    rerankers: Names = Field((), description="Additional cross-encoders that a request can name, comma-separated.")
    model_names: ModelNames = Field(
        (),
        description="Public names of models, as name=model,name=model; * stands for all other names.",
    )
    models_home: str = Field("rerank-models", min_length=1, description="Folder that records the promoted models.")
    runtime: Runtime = Field(
        "auto", description="Library that runs the models; auto selects the fastest one installed."
    )
    precision: Precision = Field(
        "auto",
        description="Number format of model computations; auto selects the fastest one with scores close to float32.",
    )
    cache_dir: str = Field(
        "~/.cache/rerank", min_length=1, description="Folder for converted models, created if missing."
    )
    mode: Mode = Field("hybrid", description="First stage: vector search, text search, or both fused by rank.")
    depth: int = Field(100, ge=1, le=MAX_RESULTS, description="Number of documents to retrieve and rerank.")
    k: int = Field(10, ge=1, le=MAX_RESULTS, description="Number of hits to return.")
    fusion: Fusion = Field(
        "auto",
        description="Final order: auto combines cross-encoder and first stage, none uses the cross-encoder alone.",
    )
    contenders: int = Field(30, ge=0, le=MAX_RESULTS, description="Number of top candidates to score; 0 scores all.")
    timeout_ms: int = Field(
        2000, ge=1, le=MAX_TIMEOUT_MS, description="Time budget for encoding and reranking one search, in milliseconds."
    )
    analyzer: Analyzer = Field("standard", description="Text analyzer of new indexes.")
    engine: Engine = Field("lucene", description="k-NN engine of new OpenSearch indexes.")
    vector_index: VectorIndex = Field("int8_hnsw", description="Kind of the vector index of new Elasticsearch indexes.")
    host: str = Field("127.0.0.1", min_length=1, description="IP address or host name to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 selects a free port.")
    threads: int = Field(16, ge=1, le=1024, description="Number of requests that a worker computes at once.")
    max_connections: int = Field(
        512, ge=1, le=65536, description="Number of open connections per worker, with 64 more for probes."
    )
    client_timeout_s: float = Field(
        30, gt=0, le=3600, description="Seconds that a client may take to send a request or to read a response."
    )
    max_waiting: int = Field(
        16,
        ge=1,
        le=1024,
        description="Number of requests being scored or queued per worker; further requests are refused.",
    )
    score_cache_mb: int = Field(
        16,
        ge=0,
        le=65536,
        description="Memory for cached scores and query vectors per worker, in megabytes; 0 disables the cache.",
    )
    max_body_mb: int = Field(32, ge=1, le=1024, description="Largest body of documents to index, in megabytes.")
    max_search_body_mb: int = Field(
        4,
        ge=1,
        le=1024,
        description="Largest body of any other request, such as a search or a rerank call, in megabytes.",
    )
    proxy_indexes: ProxyIndexes = Field(
        (), description="OpenSearch indexes to rerank by default, as name=field,field;..."
    )
    proxy_shadow: float = Field(
        0.0, ge=0, le=1, description="Fraction of searches to rerank in shadow mode (metrics only), from 0 to 1."
    )
    proxy_shadow_log: str = Field(
        "", description="File for queries and hits of shadow mode, for rerank-cli shadow report; none: no record."
    )
    proxy_timeout_s: int = Field(300, ge=1, le=86_400, description="Timeout of a forwarded request, in seconds.")
    path_prefix: PathPrefix = Field("", description="Path in front of all routes, such as /rerank-service.")
    cors_origins: Names = Field(
        (), description="Origins of web pages that can call the service, comma-separated; * allows all."
    )
    allowed_hosts: Names = Field(
        (), description="Host names of the service without api_keys, comma-separated; * allows all."
    )
    tls_certificate: str = Field("", description="File with the TLS certificate chain in PEM format; none: no TLS.")
    tls_key: str = Field("", description="File with the private key of the TLS certificate, in PEM format.")
    api_keys: ApiKeys = Field(
        (), description="API keys that requests must send, comma-separated; none disables authentication."
    )

    @model_validator(mode="after")
    def _k_within_depth(self) -> Self:
        if self.k > self.depth:
            raise ValueError(f"k must be at most depth ({self.depth}), got {self.k}. Raise depth or lower k.")
        return self

    def masked(self) -> dict[str, object]:
        """Returns all values by name, with API keys and the password and key of the store masked."""
        shown: dict[str, object] = self.model_dump()
        shown["store"] = masked_location(self.store)
        shown["store_api_key"] = None if self.store_api_key is None else "***"
        shown["api_keys"] = ["***"] * len(self.api_keys)
        return shown

    def __repr__(self) -> str:
        return f"Settings({self.masked()})"

    __str__ = __repr__
