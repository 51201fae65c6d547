"""The routes of embedding clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, jsonify, request

from rerank.core.errors import RerankError
from rerank.core.long_texts import LongTextPolicy
from rerank.core.stop_condition import StopCondition
from rerank.core.text_embedder import Embeddings, TextEmbedder, TextRole
from rerank.service.api_blueprint import BODY_ERRORS, ApiBlueprint, Operation
from rerank.service.client_connection import client_connection
from rerank.service.components import Components
from rerank.service.dialects.tei import STATUSES
from rerank.service.embeddings.cohere import CohereEmbedBody, CohereEmbedResponse
from rerank.service.embeddings.openai import EmbeddingsBody, EmbeddingsResponse
from rerank.service.embeddings.tei import (
    EmbedBody,
    EmbedResponse,
    SimilarityBody,
    SimilarityResponse,
    TokenizeBody,
    TokenizeResponse,
    described,
)
from rerank.service.embeddings.vectors import as_lists, check_dimensions
from rerank.service.errors import flask_error_response
from rerank.service.request_body import read_json_object
from rerank.service.tolerant_model import ignored_header
from rerank.service.validation import validate_body

_ERRORS = (404, *BODY_ERRORS, 429, 503)
_TEI_ERRORS = (*_ERRORS, 422, 424)


def _operation(path: str, summary: str, body: type, response: type, errors: tuple[int, ...]) -> Operation:
    return Operation("POST", path, summary, body=body, response=response, errors=errors, trailing_slash=True)


def routes(components: Components) -> ApiBlueprint:
    """Returns the routes that embed, compare and tokenize texts."""
    blueprint = ApiBlueprint("embeddings")
    views = _Views(components)

    @blueprint.operation(
        *(
            _operation(path, "Embed texts (OpenAI format)", EmbeddingsBody, EmbeddingsResponse, _ERRORS)
            for path in ("/v1/embeddings", "/embeddings")
        )
    )
    def embeddings() -> Response:
        return views.openai()

    @blueprint.operation(
        *(
            _operation(path, "Embed texts (Cohere format)", CohereEmbedBody, CohereEmbedResponse, _ERRORS)
            for path in ("/v2/embed", "/v1/embed", "/v1/v2/embed")
        )
    )
    def cohere_embed() -> Response:
        return views.cohere()

    @blueprint.operation(
        _operation("/embed", "Embed texts (text-embeddings-inference format)", EmbedBody, EmbedResponse, _TEI_ERRORS)
    )
    def embed() -> Response:
        return _with_tei_statuses(views.embed)

    @blueprint.operation(
        _operation(
            "/similarity",
            "Compare texts (text-embeddings-inference format)",
            SimilarityBody,
            SimilarityResponse,
            _TEI_ERRORS,
        )
    )
    def similarity() -> Response:
        return _with_tei_statuses(views.similarity)

    @blueprint.operation(
        _operation(
            "/tokenize",
            "Tokenize texts (text-embeddings-inference format)",
            TokenizeBody,
            TokenizeResponse,
            _TEI_ERRORS,
        )
    )
    def tokenize() -> Response:
        return _with_tei_statuses(views.tokenize)

    return blueprint


def _with_tei_statuses(view: Callable[[], Response]) -> Response:
    try:
        return view()
    except RerankError as exc:
        return flask_error_response(exc, STATUSES)


@dataclass(frozen=True)
class _Views:
    """Views of the embedding routes."""

    components: Components

    def openai(self) -> Response:
        body = validate_body(EmbeddingsBody, read_json_object(request))
        model, embedder = self._encoder(body.model)
        texts = body.texts()
        body.check(embedder.dim)
        embeddings = _embed(embedder, texts, body.role, policy=body.policy, timeout_ms=body.timeout_ms)
        return _response(body.to_response(embeddings, model), body.ignored_keys(), embeddings)

    def cohere(self) -> Response:
        body = validate_body(CohereEmbedBody, read_json_object(request))
        _, embedder = self._encoder(body.model)
        body.check(embedder.dim)
        embeddings = _embed(embedder, body.texts, body.role, policy=body.policy, timeout_ms=body.timeout_ms)
        version = "1" if request.path.startswith("/v1/embed") else "2"
        return _response(body.to_response(embeddings, version=version), body.ignored_keys(), embeddings)

    def embed(self) -> Response:
        body = validate_body(EmbedBody, read_json_object(request))
        _, embedder = self._encoder(body.model)
        body.check()
        check_dimensions(body.dimensions, dim=embedder.dim, field="dimensions")
        embeddings = _embed(embedder, body.texts(), body.role, policy=body.policy, timeout_ms=body.timeout_ms)
        return _response(as_lists(embeddings.vectors), body.ignored_keys(), embeddings)

    def similarity(self) -> Response:
        body = validate_body(SimilarityBody, read_json_object(request))
        _, embedder = self._encoder(body.model)
        embeddings = _embed(embedder, body.texts(), body.role, timeout_ms=body.timeout_ms)
        return _response(body.to_response(embeddings), body.ignored_keys(), embeddings)

    def tokenize(self) -> Response:
        body = validate_body(TokenizeBody, read_json_object(request))
        _, embedder = self._encoder(body.model)
        tokens = embedder.tokenize(body.texts(), special_tokens=body.add_special_tokens is not False)
        return _response([described(text) for text in tokens], body.ignored_keys())

    def _encoder(self, name: str | None) -> tuple[str, TextEmbedder]:
        """Returns the public name and the embedder of the encoder *name*."""
        public_name = self.components.encoder_name(name or None)
        return public_name, self.components.embedder()


def _embed(
    embedder: TextEmbedder,
    texts: list[str],
    role: TextRole,
    *,
    policy: LongTextPolicy = LongTextPolicy.CUT_END,
    timeout_ms: int | None,
) -> Embeddings:
    stop = StopCondition.of(timeout_ms, client_connection(request))
    return embedder.embed(texts, role=role, policy=policy, stop=stop)


def _response(content: object, ignored: list[str], embeddings: Embeddings | None = None) -> Response:
    response = jsonify(content)
    response.headers.update(ignored_header(ignored))
    response.headers.update(_headers(embeddings))
    return response


def _headers(embeddings: Embeddings | None) -> Mapping[str, str]:
    """Returns the headers with the number of tokens and the positions of truncated texts."""
    if embeddings is None:
        return {}
    truncated = ",".join(map(str, embeddings.truncated))
    return {"x-compute-tokens": str(embeddings.tokens), **({"x-rerank-truncated": truncated} if truncated else {})}
