"""Shared metrics of several workers: a folder that prometheus_client reads from the environment.

prometheus_client reads the variable once, when it is first imported. This module must therefore not import it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def is_multiprocess() -> bool:
    """Returns True if this process shares its metrics with other workers."""
    return _VARIABLE in os.environ


@contextmanager
def multiprocess_metrics() -> Iterator[None]:
    """Makes the child processes of this process share their metrics.

    Raises RuntimeError if prometheus_client is already imported: the values of the workers would silently be lost.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client must not be imported before multiprocess_metrics()")
    with tempfile.TemporaryDirectory(prefix="rerank-metrics-") as folder:
        os.environ[_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[_VARIABLE]
