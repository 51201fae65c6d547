"""Queries through LanceDB's asynchronous interface.

A synchronous query requests the schema three times and switches to LanceDB's thread five times, which adds one
millisecond or more to a search. An asynchronous query switches once.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from lancedb.background_loop import LOOP


def async_table(table: Any) -> Any:
    """Returns the asynchronous table inside *table*, a synchronous LanceDB table.

    The attribute is private, because LanceDB has no public one.
    """
    return table._table


def fetch_rows(query: Any) -> pa.Table:
    """Runs an asynchronous query and returns its rows."""
    loop: Any = LOOP
    rows: pa.Table = loop.run(query.to_arrow())
    return rows
