"""Checks of a server against every API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rerank.cli.conformance.cases import (
    BEST,
    SIMILARITY,
    TEXTS,
    EmbeddingCase,
    RerankCase,
    embedding_cases,
    rerank_cases,
)
from rerank.cli.conformance.exchange import Answer, Server
from rerank.cli.conformance.readers import Mismatch, Scores, Vector

Result = Literal["ok", "failed", "not offered"]
UNKNOWN_KEY = "rerank_conformance_unknown_key"
_NOT_OFFERED = (404, 405, 501)
_SHOWN_CHARACTERS = 160


@dataclass(frozen=True)
class Finding:
    """The result of one API. detail: the first mismatch, empty without one."""

    api: str
    path: str
    result: Result
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        """Returns the finding as in the output of --json."""
        return asdict(self)


def check_server(server: Server, *, model: str) -> list[Finding]:
    """Returns one finding per API. Raises click.ClickException if the server cannot be reached."""
    cases: list[RerankCase | EmbeddingCase] = [*rerank_cases(model), *embedding_cases(model), SIMILARITY]
    return [_finding(server, case) for case in cases]


def _finding(server: Server, case: RerankCase | EmbeddingCase) -> Finding:
    answer = server.send("POST", case.path, case.body)
    if answer.status in _NOT_OFFERED:
        return Finding(case.name, case.path, "not offered", _message(answer))
    try:
        _check_status(answer)
        if isinstance(case, RerankCase):
            _check_rerank(server, case, answer)
        else:
            _check_embeddings(case, answer)
    except Mismatch as exc:
        return Finding(case.name, case.path, "failed", str(exc)[:_SHOWN_CHARACTERS])
    return Finding(case.name, case.path, "ok")


def _check_rerank(server: Server, case: RerankCase, answer: Answer) -> None:
    scores = case.read(answer.content)
    _check_scores(scores, best_first=case.best_first)
    if case.top_n is not None:
        limited = server.send("POST", case.path, {**case.body, case.top_n: 1})
        _check_status(limited)
        positions = [index for index, _ in case.read(limited.content)]
        if positions != [BEST]:
            raise Mismatch(f"{case.top_n} 1 must return the best text alone, got {len(positions)} results")
    _check_tolerance(server, case)
    _check_error(server, case)


def _check_scores(scores: Scores, *, best_first: bool) -> None:
    if sorted(index for index, _ in scores) != list(range(len(TEXTS))):
        raise Mismatch(f"each of the {len(TEXTS)} texts must have one result, got {[index for index, _ in scores]}")
    values = [score for _, score in scores]
    if best_first and values != sorted(values, reverse=True):
        raise Mismatch("results must be sorted by descending score")
    if max(scores, key=lambda result: result[1])[0] != BEST:
        raise Mismatch("the text that answers the query must have the best score")


def _check_tolerance(server: Server, case: RerankCase) -> None:
    answer = server.send("POST", case.path, {**case.body, UNKNOWN_KEY: True})
    if answer.status != 200:
        raise Mismatch(f"an unknown key must be ignored, got {answer.status}: {_message(answer)}")


def _check_error(server: Server, case: RerankCase) -> None:
    answer = server.send("POST", case.path, {})
    if not 400 <= answer.status < 500:
        raise Mismatch(f"an empty body must return a status from 400 to 499, got {answer.status}")
    if not isinstance(answer.content, Mapping):
        raise Mismatch("an error must be a JSON object")


def _check_embeddings(case: EmbeddingCase, answer: Answer) -> None:
    query, *texts = case.read(answer.content)
    if len(texts) != len(TEXTS) or {len(vector) for vector in texts} != {len(query)} or not query:
        raise Mismatch(f"each of the {len(TEXTS) + 1} texts must have a vector of the same length")
    cosines = [_cosine(query, vector) for vector in texts]
    if cosines.index(max(cosines)) != BEST:
        raise Mismatch("the text that answers the query must have the nearest vector")


def _check_status(answer: Answer) -> None:
    if answer.status != 200:
        raise Mismatch(f"status must be 200, got {answer.status}: {_message(answer)}")


def _message(answer: Answer) -> str:
    """Returns the message of an error in any API."""
    content = answer.content
    if isinstance(content, Mapping):
        content = next((content[key] for key in ("message", "detail", "error") if key in content), content)
    return str(content if content is not None else "no JSON")[:_SHOWN_CHARACTERS]


def _cosine(a: Vector, b: Vector) -> float:
    norms = sum(x * x for x in a) * sum(x * x for x in b)
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return float(product / norms**0.5) if norms else 0.0


def failed(findings: Sequence[Finding]) -> bool:
    """Returns True if an API that the server offers failed."""
    return any(finding.result == "failed" for finding in findings)
