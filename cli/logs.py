"""Logging of the command line. Logs go to stderr, because stdout holds data only."""

from __future__ import annotations

import logging
import sys
import warnings

from rerank.core.redaction import redact_logs


def configure_command_logging(*, debug: bool) -> None:
    """Logs warnings and errors as plain lines; with *debug* also INFO messages and Python's warnings."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if debug else logging.WARNING, format="%(message)s")
    redact_logs()
    # opensearch-py logs every failed attempt with a traceback; the store's own error reports the outcome once.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")


def configure_service_logging() -> None:
    """Logs from level INFO, each line with its time, level and logger."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,  # replaces the command's format
    )
    redact_logs()
