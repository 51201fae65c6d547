"""An ingest run with a fake encoder in a process that can be killed: `python -m … STORE INDEX CORPUS`."""

from __future__ import annotations

import sys

from rerank.index.opening import open_store
from rerank.ingest.run import IngestOptions, ingest
from tests.fakes import FakeEncoder

if __name__ == "__main__":
    location, name, corpus = sys.argv[1:]
    store = open_store(location)
    ingest([corpus], store=store, encoder=FakeEncoder(), name=name, options=IngestOptions(restart=True))
    store.close()
