"""Check of the user's privileges before an index is created."""

from __future__ import annotations

from opensearchpy import OpenSearch as Api
from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from rerank.core.errors import StoreError

REQUIRED = ("manage", "read", "write")


def check_privileges(api: Api, name: str) -> None:
    """Raises StoreError with the missing privileges for the index *name* and its generations.

    A server without security has no privileges.
    """
    body = {"index": [{"names": [name, f"{name}--*"], "privileges": list(REQUIRED)}]}
    try:
        response = api.transport.perform_request("POST", "/_security/user/_has_privileges", body=body)
    except (RequestError, NotFoundError):
        return
    except TransportError as exc:
        # 405 and 500: security is switched off.
        if exc.status_code in (405, 500):
            return
        raise
    granted = response.get("index", {})
    missing = [right for right in REQUIRED if not all(pattern.get(right) for pattern in granted.values())]
    if missing:
        raise StoreError(
            f'The user of Elasticsearch lacks the index privileges {", ".join(missing)} for "{name}" and "{name}--*". '
            "Grant them, or use another user or API key."
        )
