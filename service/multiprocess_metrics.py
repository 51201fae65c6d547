"""Where several workers count together: a folder that prometheus_client is told of by the environment.

It reads the name once, when it is first imported, so this module must not import it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def is_multiprocess() -> bool:
    """Whether this process counts together with others."""
    return _VARIABLE in os.environ


@contextmanager
def multiprocess_metrics() -> Iterator[None]:
    """Let this process's children count together.

    Raises RuntimeError when prometheus_client was imported before: its counts would silently be lost.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before the workers' counts were shared")
    with tempfile.TemporaryDirectory(prefix="rerank-metrics-") as folder:
        os.environ[_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[_VARIABLE]
