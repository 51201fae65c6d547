"""Client of onnx_peer.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SCRIPT = Path(__file__).with_name("onnx_peer.py")


class OnnxPeer:
    """ONNX Runtime in int8 in a separate process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def seconds(self, query: str, passages: Sequence[str]) -> float:
        """Returns the time of scoring, with tokenization and without the transfer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"query": query, "passages": list(passages)}) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["seconds"])


@contextmanager
def onnx_peer(python: Path, model: Path, work: Path) -> Iterator[OnnxPeer]:
    """Runs the peer with the *python* of its environment."""
    command = [str(python), str(_SCRIPT), str(model), str(work)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield OnnxPeer(process)
    finally:
        process.kill()
        process.wait()
