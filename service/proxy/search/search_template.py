"""Search templates. The server renders them, and the proxy reranks the rendered search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rerank.service.proxy.search.backend_client import BackendClient
from rerank.service.proxy.search.call import SearchCall

_SEARCH_KEYS = ("explain", "profile")
"""Keys beside a template that belong to the search."""


def rendered(backend: BackendClient, call: SearchCall, template: Mapping[str, Any]) -> SearchCall | None:
    """Returns the search of *template*, with the index, parameters and headers of *call*.

    Returns None if the server cannot render it: forwarded unchanged, the server then reports the error. Raises
    StoreError and ClientDisconnected.
    """
    body = {key: value for key, value in template.items() if key not in _SEARCH_KEYS}
    response = backend.request(call, "POST", "/_render/template", body)
    output = (response.json or {}).get("template_output")
    if response.status != 200 or not isinstance(output, Mapping):
        return None
    return call.with_body({**output, **{key: template[key] for key in _SEARCH_KEYS if key in template}})
