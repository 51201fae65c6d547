"""Runs each client of a program, and prints the results as JSON."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version

QUERY = "green tea"
DOCUMENTS = ["coffee", "green tea", "tea", "rain"]

Run = Callable[[str, str], object]
"""Function of a URL and an API key that sends a request with one client and returns the parsed response."""


def report(packages: list[str], clients: Mapping[str, Run]) -> None:
    """Prints the versions of *packages*, and the result or the traceback of each client."""
    url, key = sys.argv[1:]
    results: dict[str, object] = {}
    for name, run in clients.items():
        try:
            results[name] = run(url, key)
        except Exception:  # noqa: BLE001  # an error of any kind is a result
            results[name] = {"failed": traceback.format_exc()}
    print(json.dumps({"versions": {name: version(name) for name in packages}, "results": results}))  # noqa: T201


def error_of(call: Callable[[], object]) -> str:
    """Returns the class and the message of the error that *call* raises."""
    try:
        return f"no error: {call()!r}"
    except Exception as exc:  # noqa: BLE001  # every client has its own error classes
        return f"{type(exc).__name__}: {exc}"
