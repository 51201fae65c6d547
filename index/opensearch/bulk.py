"""Many writes in few requests, with patience for a server that is busy."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opensearchpy.exceptions import TransportError

from rerank.core.errors import StoreFull, StoreUnavailable
from rerank.index.opensearch.server import Server, is_full

MAX_BYTES = 8 * 1024 * 1024
"""Of one request; the server refuses more than 100 MB by default and works best far below."""
MAX_ACTIONS = 500
PATIENCE_SECONDS = 120.0
"""How long one batch is offered again to a server that answers 429, before the run gives up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """One write: `index` with a source, or `delete`."""

    operation: str
    doc_id: str
    source: Mapping[str, Any] | None = None

    def lines(self) -> str:
        """As the bulk API reads it."""
        head = json.dumps({self.operation: {"_id": self.doc_id}})
        return f"{head}\n{json.dumps(self.source)}\n" if self.source is not None else f"{head}\n"


@dataclass(frozen=True)
class Outcome:
    """What the server said of one action: `result` is created, updated, deleted, not_found or refused."""

    doc_id: str
    result: str
    reason: str = ""


class BulkWriter:
    """Writes actions to what the alias *index* leads to; where there is no such alias, nothing is made.

    What the server is too busy for is offered again, with growing pauses.
    """

    def __init__(self, server: Server, index: str, *, patience: float = PATIENCE_SECONDS, pause: float = 0.2) -> None:
        self._server = server
        self._index = index
        self._patience = patience
        self._pause = pause

    def write(self, actions: Sequence[Action]) -> list[Outcome]:
        """Write all *actions*, each of a different document; the outcomes come in no particular order.

        Raises StoreFull when no space is left, StoreUnavailable when the server stays busy.
        """
        outcomes: list[Outcome] = []
        for batch in _batches(actions):
            outcomes.extend(self._batch(batch))
        return outcomes

    def _batch(self, batch: Sequence[Action]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        waiting = {action.doc_id: action for action in batch}
        gives_up_at = time.monotonic() + self._patience
        pause = self._pause
        while True:
            for outcome in self._request(list(waiting.values())):
                outcomes.append(outcome)
                del waiting[outcome.doc_id]
            if not waiting:
                return outcomes
            if time.monotonic() + pause > gives_up_at:
                raise StoreUnavailable(
                    f"OpenSearch at {self._server.address} was too busy to take {len(waiting)} documents in "
                    f"{self._patience:.0f} seconds; run the same command again to go on"
                )
            _log.info("%d documents wait for a busy server", len(waiting))
            # Jitter keeps several writers from coming back at the same moment.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 10.0)

    def _request(self, actions: Sequence[Action]) -> list[Outcome]:
        """One request; actions that the server is too busy for have no outcome."""
        body = "".join(action.lines() for action in actions)
        with self._server.asking(f'a bulk write to "{self._index}"') as client:
            try:
                answer = client.bulk(body=body, index=self._index, params={"require_alias": "true"})
            except TransportError as exc:
                if exc.status_code == 429 and not is_full(str(exc.info)):
                    return []
                raise
            items = [(operation, item) for entry in answer["items"] for operation, item in entry.items()]
            return [
                _outcome(self._server, operation, action.doc_id, item)
                for action, (operation, item) in zip(actions, items, strict=True)
                if item["status"] != 429 or is_full(str(item.get("error")))
            ]


def _outcome(server: Server, operation: str, doc_id: str, item: Mapping[str, Any]) -> Outcome:
    error = item.get("error")
    if error is None:
        return Outcome(doc_id, item["result"])
    reason = f"{error.get('reason', error.get('type'))}"
    caused_by = error.get("caused_by")
    if isinstance(caused_by, Mapping):
        reason = f"{reason}: {caused_by.get('reason')}"
    if is_full(f"{reason} {error.get('type')}"):
        raise StoreFull(f"OpenSearch at {server.address} has no space left ({reason}); free disk space on its nodes")
    return Outcome(doc_id, "refused", f"OpenSearch refused to {operation} it: {reason}")


def _batches(actions: Sequence[Action]) -> Iterator[list[Action]]:
    batch: list[Action] = []
    size = 0
    for action in actions:
        length = len(action.lines())
        if batch and (size + length > MAX_BYTES or len(batch) >= MAX_ACTIONS):
            yield batch
            batch, size = [], 0
        batch.append(action)
        size += length
    if batch:
        yield batch
