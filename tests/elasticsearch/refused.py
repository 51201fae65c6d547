"""Elasticsearch's own refusals."""

from __future__ import annotations


class Refused(Exception):
    """A status, and the body that every refusal has."""

    def __init__(self, status: int, kind: str, reason: str, **more: object) -> None:
        super().__init__(reason)
        self.status = status
        cause = {"type": kind, "reason": reason, **more}
        self.body: dict[str, object] = {"error": {"root_cause": [cause], **cause}, "status": status}


def no_such_index(name: str) -> Refused:
    """404, with the keys that its clients read."""
    where = {"resource.type": "index_or_alias", "resource.id": name, "index_uuid": "_na_", "index": name}
    return Refused(404, "index_not_found_exception", f"no such index [{name}]", **where)
