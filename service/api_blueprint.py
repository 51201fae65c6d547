"""Routes that are declared together with their description in /openapi.json.

The document is derived here and in openapi.py, not by a library. Measured on these 30 routes: flask-openapi3 and
APIFlask describe a body only where they also parse it, without the JSON checks of request_body.py and with one model
per view, whereas a rerank view has ten. spectree can describe without parsing. It produces the same schemas, but adds
a 400 to 11 routes without input, omits text responses, and wraps every request; correcting that takes as many lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Blueprint, Flask, Response
from pydantic import BaseModel

V = TypeVar("V", bound=Callable[..., Response])

BODY_ERRORS = (413, 415)
STORE_ERRORS = (502, 503, 504)


@dataclass(frozen=True)
class Operation:
    """A route with its description.

    query and body: models of the query string and of the JSON body. response: model of the JSON response. errors:
    error statuses. 401 is implied, and so is 400 if the operation has a query string or a body. trailing_slash: accepts
    the path with a slash at its end, too.
    """

    method: str
    path: str
    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    response: type[BaseModel] | None = None
    content_type: str = "application/json"
    status: int = 200
    errors: tuple[int, ...] = ()
    trailing_slash: bool = False


class ApiBlueprint(Blueprint):
    """A blueprint that keeps the description of each of its routes."""

    def __init__(self, name: str) -> None:
        super().__init__(name, __name__)
        self.operations: list[Operation] = []

    def operation(self, *operations: Operation) -> Callable[[V], V]:
        """Returns a decorator that adds a view under each of *operations*."""

        def add(view: V) -> V:
            for operation in operations:
                self.add_url_rule(
                    operation.path,
                    view_func=view,
                    methods=[operation.method],
                    strict_slashes=not operation.trailing_slash,
                )
                self.operations.append(operation)
            return view

        return add


def operations_of(app: Flask) -> list[Operation]:
    """Returns the operations of every ApiBlueprint of *app*, in the order of registration."""
    blueprints = [blueprint for blueprint in app.blueprints.values() if isinstance(blueprint, ApiBlueprint)]
    return [operation for blueprint in blueprints for operation in blueprint.operations]
