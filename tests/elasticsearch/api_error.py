"""Errors of the Elasticsearch API."""

from __future__ import annotations


class ApiError(Exception):
    """An error response: a status and a body in Elasticsearch's format."""

    def __init__(self, status: int, kind: str, reason: str, **more: object) -> None:
        super().__init__(reason)
        self.status = status
        cause = {"type": kind, "reason": reason, **more}
        self.body: dict[str, object] = {"error": {"root_cause": [cause], **cause}, "status": status}


def no_such_index(name: str) -> ApiError:
    """Returns the error for a missing index, with the keys that clients use."""
    resource = {"resource.type": "index_or_alias", "resource.id": name, "index_uuid": "_na_", "index": name}
    return ApiError(404, "index_not_found_exception", f"no such index [{name}]", **resource)
