"""POST /predict: what a cross-encoder says of texts or pairs, in text-embeddings-inference's shape."""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify, request

from rerank.core.errors import InvalidRequest, RerankError
from rerank.core.pairs import PairPredictions, TextPair
from rerank.core.search import rounded
from rerank.service.components import Components
from rerank.service.dialects.tei import STATUSES
from rerank.service.errors import refusal
from rerank.service.request_body import check_unicode, read_json_object, validate_body
from rerank.service.request_models import MAX_DOCUMENTS, PredictBody


def routes(components: Components) -> Blueprint:
    """The prediction itself."""
    blueprint = Blueprint("predict", __name__)

    @blueprint.post("/predict")
    def predict() -> Response:
        started = time.perf_counter()
        sent = read_json_object(request)
        try:
            return answered(validate_body(PredictBody, sent), started)
        except RerankError as exc:
            return refusal(exc, STATUSES)

    def answered(body: PredictBody, started: float) -> Response:
        pairs, batch = read_inputs(body.inputs)
        predictions = components.pair_models.get().get(body.model).predict(pairs)
        if body.truncate is False:
            _check_whole(predictions)
        said = [
            [
                {"score": rounded(one.score), "label": one.label}
                for one in predictions.ranked(i, raw=bool(body.raw_scores))
            ]
            for i in range(len(pairs))
        ]
        response = jsonify(said if batch else said[0])
        response.headers["x-compute-time"] = str(round((time.perf_counter() - started) * 1000))
        response.headers["x-compute-characters"] = str(sum(len(text) for pair in pairs for text in pair if text))
        return response

    return blueprint


def read_inputs(inputs: object) -> tuple[list[TextPair], bool]:
    """The texts or pairs, and whether they came as a list of them.

    A text or ["text"] is one text, ["text", "text"] a pair, and a list of lists of one or two texts a batch. Raises
    InvalidRequest, naming the place.
    """
    check_unicode(inputs, "inputs")
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], list):
        if len(inputs) > MAX_DOCUMENTS:
            raise InvalidRequest(f'"inputs" has at most {MAX_DOCUMENTS:,} members, not {len(inputs):,}', field="inputs")
        return [_pair(one, f"inputs[{i}]") for i, one in enumerate(inputs)], True
    return [_pair([inputs] if isinstance(inputs, str) else inputs, "inputs")], False


def _pair(texts: object, place: str) -> TextPair:
    if not isinstance(texts, list) or len(texts) not in (1, 2) or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(
            f'"{place}" is a text, a pair [text, text], or a list of lists of one or two texts', field=place
        )
    return str(texts[0]), str(texts[1]) if len(texts) == 2 else None


def _check_whole(predictions: PairPredictions) -> None:
    cut = predictions.truncated.nonzero()[0]
    if len(cut):
        raise InvalidRequest(
            f"input {int(cut[0]) + 1} is longer than the model reads; send less of it, or truncate: true",
            field="inputs",
        )
