"""A writer of random documents in a process that can be killed: `python -m … STORE INDEX SEED JOURNAL`.

It writes like the service: it repeats a write that raises IndexNotFound. JOURNAL has one JSON list for each step: the
id and the text of the document (null: deleted) before the write, and then an empty list when the write was
acknowledged.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from rerank.core.document import Document
from rerank.core.errors import IndexNotFound
from rerank.core.indexing import Indexer
from rerank.core.protocols import Store
from rerank.index.opening import open_store
from tests.fakes import FakeEncoder

_IDS = 60


def write(store: Store, name: str, doc_id: str, text: str | None) -> None:
    """Writes or deletes one document in the live generation."""
    while True:
        try:
            index = store.open(name)
            if text is None:
                index.delete([doc_id])
            else:
                outcome = Indexer(index, FakeEncoder()).add([Document(doc_id, text)])
                assert not outcome.rejected, outcome
        except IndexNotFound:
            time.sleep(0.1)
        else:
            return


def run(location: str, name: str, seed: str, journal: Path) -> None:
    """Writes until the process is killed."""
    choice = random.Random(seed)
    store = open_store(location)
    with journal.open("a") as stream:
        for step in range(1_000_000):
            doc_id = choice.choice([f"w{choice.randrange(_IDS)}", str(choice.randrange(_IDS))])
            text = None if choice.random() < 0.3 else f"text {seed} {step}"
            for line in ([doc_id, text], []):
                if not line:
                    write(store, name, doc_id, text)
                stream.write(f"{json.dumps(line)}\n")
                stream.flush()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
