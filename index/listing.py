"""Listing of indexes of which some can be damaged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from rerank.core.errors import IndexNotFound, StoreError, StoreTimeout, StoreUnavailable
from rerank.core.protocols import IndexInfo

_log = logging.getLogger(__name__)


def readable_infos(infos: Mapping[str, Callable[[], IndexInfo]]) -> list[IndexInfo]:
    """Returns the infos of all indexes that can be read, in order. *infos* are functions by index name.

    A damaged index is logged and left out. Raises StoreUnavailable and StoreTimeout, which concern the whole store.
    """
    readable = []
    for name, info in infos.items():
        try:
            readable.append(info())
        except (StoreUnavailable, StoreTimeout):
            raise
        except IndexNotFound:
            # Another process has deleted it since the listing.
            continue
        except StoreError as exc:
            _log.warning("index unreadable index=%s reason=%s", name, exc)
    return readable
