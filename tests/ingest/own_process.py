"""A run in a process of its own, to be killed or to meet another: `-m tests.ingest.own_process STORE NAME CORPUS`.

Writes a line to standard error for every batch that the store has acknowledged.
"""

from __future__ import annotations

import sys

from rerank.index.opening import open_store
from rerank.ingest.progress import LineProgress
from rerank.ingest.run import ingest
from tests.fakes import FakeEncoder

if __name__ == "__main__":
    location, name, corpus = sys.argv[1:]
    progress = LineProgress(sys.stderr, seconds=0)
    ingest([corpus], store=open_store(location), encoder=FakeEncoder(), name=name, progress=progress)
