"""What every program does: ask with each of its clients, and print what each one read, as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version

QUERY = "green tea"
DOCUMENTS = ["coffee", "green tea", "tea", "rain"]

Ask = Callable[[str, str], object]
"""Asks the service at an address with a key; returns what the client made of the answer."""


def report(packages: list[str], clients: Mapping[str, Ask]) -> None:
    """Print the versions of *packages*, and for each client what it returned, or how it failed."""
    url, key = sys.argv[1:]
    answers: dict[str, object] = {}
    for name, ask in clients.items():
        try:
            answers[name] = ask(url, key)
        except Exception:  # noqa: BLE001  # whatever a client raises is the finding
            answers[name] = {"failed": traceback.format_exc()}
    print(json.dumps({"versions": {name: version(name) for name in packages}, "answers": answers}))  # noqa: T201


def refusal(ask: Callable[[], object]) -> str:
    """The kind and the sentence of the error that *ask* ends in."""
    try:
        return f"no error: {ask()!r}"
    except Exception as exc:  # noqa: BLE001  # each client has errors of its own
        return f"{type(exc).__name__}: {exc}"
