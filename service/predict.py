"""POST /predict: labels or scores of texts and text pairs, in the format of text-embeddings-inference."""

from __future__ import annotations

import time
from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import Field, WithJsonSchema

from rerank.core.errors import InvalidRequest, RerankError
from rerank.core.pairs import PairPredictions, TextPair
from rerank.core.search import rounded
from rerank.service.api_blueprint import BODY_ERRORS, ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.dialects.tei import STATUSES
from rerank.service.errors import flask_error_response
from rerank.service.request_body import read_json_object
from rerank.service.request_models import MAX_DOCUMENTS
from rerank.service.response_models import PredictResponse
from rerank.service.tolerant_model import Flag, TolerantModel, ignored_header
from rerank.service.validation import check_unicode, validate_body

_TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2}
_INPUTS = {"anyOf": [{"type": "string"}, _TEXTS, {"type": "array", "items": _TEXTS, "maxItems": MAX_DOCUMENTS}]}


class PredictBody(TolerantModel):
    """Body of POST /predict, in the format of text-embeddings-inference."""

    inputs: Annotated[Any, WithJsonSchema(_INPUTS)] = Field(
        description="A text, a pair [text, text], or a list of lists of one or two texts."
    )
    model: str | None = Field(None, description="Model to use: a name from GET /models, or default.")
    raw_scores: Flag = Field(None, description="true: return logits instead of probabilities.")
    truncate: Flag = Field(None, description="false: reject an input that exceeds the model's maximum length.")
    truncation_direction: str | None = Field(None, description="Ignored: inputs are truncated at the end.")


PREDICT = Operation(
    "POST",
    "/predict",
    "Classify texts or text pairs (text-embeddings-inference format)",
    body=PredictBody,
    response=PredictResponse,
    errors=(404, *BODY_ERRORS, 422, 424, 429, 503),
)


def routes(components: Components) -> ApiBlueprint:
    """Returns the route that predicts labels."""
    blueprint = ApiBlueprint("predict")

    @blueprint.operation(PREDICT)
    def predict() -> Response:
        started = time.perf_counter()
        body = read_json_object(request)
        try:
            return respond(validate_body(PredictBody, body), started)
        except RerankError as exc:
            return flask_error_response(exc, STATUSES)

    def respond(body: PredictBody, started: float) -> Response:
        pairs, is_batch = parse_inputs(body.inputs)
        predictions = components.pair_models.get().get(body.model).predict(pairs)
        if body.truncate is False:
            _check_not_truncated(predictions)
        raw = bool(body.raw_scores)
        labels = [
            [{"score": rounded(label.score), "label": label.label} for label in predictions.ranked(i, raw=raw)]
            for i in range(len(pairs))
        ]
        response = jsonify(labels if is_batch else labels[0])
        response.headers["x-compute-time"] = str(round((time.perf_counter() - started) * 1000))
        response.headers.update(ignored_header(body.ignored_keys()))
        response.headers["x-compute-characters"] = str(sum(len(text) for pair in pairs for text in pair if text))
        return response

    return blueprint


def parse_inputs(inputs: object) -> tuple[list[TextPair], bool]:
    """Returns the texts or pairs of *inputs*, and True if they are a batch.

    "text" and ["text"] are one text, ["text", "text"] is one pair, and a list of lists of one or two texts is a batch.
    Raises InvalidRequest, with the position of the error.
    """
    check_unicode(inputs, "inputs")
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], list):
        if len(inputs) > MAX_DOCUMENTS:
            raise InvalidRequest(
                f'"inputs" must have at most {MAX_DOCUMENTS:,} items, got {len(inputs):,}', field="inputs"
            )
        return [_pair(texts, f"inputs[{i}]") for i, texts in enumerate(inputs)], True
    return [_pair([inputs] if isinstance(inputs, str) else inputs, "inputs")], False


def _pair(texts: object, path: str) -> TextPair:
    if not isinstance(texts, list) or len(texts) not in (1, 2) or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(
            f'"{path}" must be a text, a pair [text, text], or a list of lists of one or two texts', field=path
        )
    return str(texts[0]), str(texts[1]) if len(texts) == 2 else None


def _check_not_truncated(predictions: PairPredictions) -> None:
    truncated = predictions.truncated.nonzero()[0]
    if len(truncated):
        raise InvalidRequest(
            f"input {int(truncated[0]) + 1} exceeds the model's maximum length. Shorten it, or set truncate to true",
            field="inputs",
        )
