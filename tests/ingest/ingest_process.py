"""Ingest run in a separate process: `python -m tests.ingest.ingest_process STORE NAME CORPUS`.

Writes a line to standard error for every batch that the store has written.
"""

from __future__ import annotations

import sys

from rerank.index.opening import open_store
from rerank.ingest.progress import LineProgress
from rerank.ingest.run import ingest
from tests.fakes import FakeEncoder

if __name__ == "__main__":
    location, name, corpus = sys.argv[1:]
    progress = LineProgress(sys.stderr, interval=0)
    ingest([corpus], store=open_store(location), encoder=FakeEncoder(), name=name, progress=progress)
