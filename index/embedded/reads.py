"""Reading a table by LanceDB's asynchronous queries.

Its synchronous ones ask for the schema three times and cross to LanceDB's thread five times a query, a millisecond or
more of a search; these cross once.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from lancedb.background_loop import LOOP


def queries_of(table: Any) -> Any:
    """What makes asynchronous queries of *table*, a synchronous LanceDB table: the one that it wraps.

    By a private name: no public way leads from the one to the other.
    """
    return table._table


def read(query: Any) -> pa.Table:
    """The rows of an asynchronous query."""
    loop: Any = LOOP
    rows: pa.Table = loop.run(query.to_arrow())
    return rows
