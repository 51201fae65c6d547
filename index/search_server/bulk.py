"""Bulk writes: split into requests by opensearch-py, retried while the server is busy."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opensearchpy.helpers import streaming_bulk

from rerank.core.errors import IndexNotFound, StoreUnavailable
from rerank.core.retry import RetryPolicy, retry
from rerank.index.search_server.client import SearchServerClient, is_disk_full, reason_of

MAX_BYTES = 8 * 1024 * 1024
"""Maximum size of one request. The server refuses more than 100 MB by default and is fastest far below that."""
MAX_ACTIONS = 500
BUSY_RETRIES = RetryPolicy(first=0.2, longest=10.0, seconds=120.0, jitter=True)
"""Retries of actions that the server rejects with 429, or because a rebuild is being published."""

_BLOCKED = "FORBIDDEN/8/"
"""Write block of an index. A run that publishes a rebuild blocks the replaced generation for a moment."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """One write: `index` with a source, or `delete`."""

    operation: str
    doc_id: str
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """Response of the server to one action: `result` is created, updated, deleted, not_found or refused."""

    doc_id: str
    result: str
    reason: str = ""


class BulkWriter:
    """Writer to the index behind the alias *index*. A write to a missing alias fails and creates no index."""

    def __init__(self, client: SearchServerClient, index: str, *, retries: RetryPolicy = BUSY_RETRIES) -> None:
        self._client = client
        self._index = index
        self._retries = retries

    def write(self, actions: Sequence[Action]) -> list[Outcome]:
        """Writes all *actions*, which must have distinct documents, and returns the outcomes in any order.

        Raises StoreFull when the disk is full, StoreUnavailable when the server stays busy, and IndexNotFound when the
        index does not exist any more.
        """
        outcomes: list[Outcome] = []
        pending = {action.doc_id: action for action in actions}

        def send() -> int:
            for outcome in self._send(list(pending.values())):
                outcomes.append(outcome)
                del pending[outcome.doc_id]
            return len(pending)

        def log_wait(_error: BaseException | None, seconds: float) -> None:
            _log.info("server busy index=%s pending=%d retry_seconds=%.1f", self._index, len(pending), seconds)

        if retry(send, self._retries, until=lambda remaining: remaining == 0, before_wait=log_wait):
            raise StoreUnavailable(
                f"{self._client.server} was too busy to write {len(pending)} documents within "
                f"{self._retries.seconds:g} s. Check the load of the cluster."
            )
        return outcomes

    def _send(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Sends each action once. Yields no outcome for actions that the server is too busy to accept."""
        with self._client.request(f'writing to index "{self._index}"') as api:
            responses = streaming_bulk(
                api,
                map(_as_bulk_action, actions),
                chunk_size=MAX_ACTIONS,
                max_chunk_bytes=MAX_BYTES,
                raise_on_error=False,
                raise_on_exception=False,
                index=self._index,
                params={"require_alias": "true"},
            )
            for _ok, response in responses:
                ((operation, item),) = response.items()
                error = item.get("exception")
                reason = reason_of(error.info) if error else _reason(item)
                if is_disk_full(f"{reason} {item.get('error')}"):
                    raise self._client.disk_full(reason) from error
                if item["status"] == 429 or _BLOCKED in reason:
                    continue
                if item["status"] == 404 and reason:
                    raise IndexNotFound(
                        f'The index behind "{self._index}" was deleted or rebuilt by another run. Open it again.'
                    ) from error
                if error:
                    raise error
                if reason:
                    yield Outcome(item["_id"], "refused", f"the server refused to {operation} the document: {reason}")
                else:
                    yield Outcome(item["_id"], item["result"])


def _as_bulk_action(action: Action) -> dict[str, Any]:
    head = {"_op_type": action.operation, "_id": action.doc_id}
    return head if action.source is None else {**head, "_source": action.source}


def _reason(item: Mapping[str, Any]) -> str:
    """Returns the server's reason for a failed action; empty for a successful one."""
    error = item.get("error")
    if error is None:
        return ""
    caused_by = error.get("caused_by")
    reason = f"{error.get('reason') or error.get('type')}"
    return f"{reason}: {caused_by.get('reason')}" if isinstance(caused_by, Mapping) else reason
