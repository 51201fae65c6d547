"""Shared metrics of several workers: a folder that prometheus_client reads from the environment.

prometheus_client reads the variable once, when it is first imported. This module must therefore not import it.
"""

from __future__ import annotations

import os
import shutil
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
    owner = os.getpid()
    folder = tempfile.mkdtemp(prefix="rerank-metrics-")
    os.environ[_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        # Each worker is a fork and leaves this block too. The other workers still need the folder.
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
