"""Requests to the server under test."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import click

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """The status and the JSON body of a response. content: None if the body is not JSON."""

    status: int
    content: object


@dataclass(frozen=True)
class Server:
    """The server at *url*. *api_key* is sent as Authorization: Bearer, which all APIs accept."""

    url: str
    api_key: str | None = None

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Returns the response. Raises click.ClickException if the server cannot be reached."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url.rstrip("/") + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return Answer(response.status, _parsed(response.read()))
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(exc.code, _parsed(exc.read()))
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise click.ClickException(
                f"cannot connect to {self.url}: {reason}. Check the URL and the server."
            ) from exc


def _parsed(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except ValueError:
        return None
    return value
