"""The rule that nothing acknowledged is lost, on the embedded store, in processes that are killed or meet."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rerank.index.opening import open_store
from rerank.ingest.run import ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, numbered, write_corpus

DOCUMENTS = 2000
ROOT = Path(__file__).parents[2]


def start(location: Path, corpus: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ingest.own_process", str(location), NAME, corpus]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def run_and_kill(location: Path, corpus: str, *, after: int) -> int:
    """Start a run, kill it after so many acknowledged batches, and return the documents in them."""
    acknowledged = 0
    with start(location, corpus) as process:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.match(r"indexing: .*?([\d,]+) documents,", line)
            if found:
                acknowledged = int(found[1].replace(",", ""))
                after -= 1
            if after == 0:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("after", [1, 3])
def test_a_own_process_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    """The same command keeps every acknowledged document, encodes the others once, and publishes them all."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(DOCUMENTS))
    location = tmp_path / "store"
    acknowledged = run_and_kill(location, corpus, after=after)
    store, encoder = open_store(str(location)), FakeEncoder()
    assert store.indexes() == []
    report = ingest([corpus], store=store, encoder=encoder, name=NAME)
    assert 0 < acknowledged <= report.skipped < DOCUMENTS
    assert len(encoder.encoded) == report.indexed == DOCUMENTS - report.skipped
    info = store.open(NAME).info()
    assert (info.documents, info.passages) == (DOCUMENTS, DOCUMENTS)
    store.close()


def test_two_processes_build_one_index_together(tmp_path: Path) -> None:
    """Begun at the same moment over two corpora: both end well, and every document of both is there."""
    first = write_corpus(tmp_path / "a.jsonl", numbered(600))
    second = write_corpus(tmp_path / "b.jsonl", numbered(600, start=500))
    location = tmp_path / "store"
    with start(location, first) as one, start(location, second) as other:
        said = [one.communicate()[1], other.communicate()[1]]
    assert [one.returncode, other.returncode] == [0, 0], said
    store = open_store(str(location))
    assert store.open(NAME).info().documents == 1100
    store.close()


OUT_OF_SPACE = """
mount -t tmpfs -o size=600k tmpfs "$1" || exit 77
python="$0"; run() { "$python" -m tests.ingest.own_process "$1/store" docs "$2" 2>&1; }
run "$1" "$2" && exit 1
mount -o remount,size=64m "$1" && run "$1" "$2" || exit 1
"$python" -c '
import sys
from rerank.index.opening import open_store
print(open_store(sys.argv[1]).open("docs").info().documents)' "$1/store"
"""


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    """On a file system that is full in mid-run the run ends with StoreFull and the way out; once there is room, the
    same command goes on and every document is there."""
    place = tmp_path / "disk"
    place.mkdir()
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(DOCUMENTS))
    apart = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system of its own can be mounted here (unshare is missing or not allowed)")
    command = [*apart, "sh", "-c", OUT_OF_SPACE, sys.executable, str(place), corpus]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode != 77, f"no small file system could be mounted: {ran.stderr}"
    said = r"StoreFull: .*no space left on the disk while writing documents.*Free disk space.*the same command goes on"
    assert re.search(said, ran.stdout), ran.stdout
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, str(DOCUMENTS))
