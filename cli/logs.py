"""What libraries and the product log: to stderr, never to stdout, which holds data only."""

from __future__ import annotations

import logging
import sys
import warnings


def for_a_command(*, debug: bool) -> None:
    """Warnings and worse, as plain lines; with *debug* all that is told, and Python's own warnings."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if debug else logging.WARNING, format="%(message)s")
    # It logs each failed try with a traceback; what comes of them is told once, by our own error.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")


def for_a_service() -> None:
    """Every line with its time and place, from INFO on."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,  # in place of the command's own
    )
