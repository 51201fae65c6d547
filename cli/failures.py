"""Exit codes, and the one-line error that a command shows for an exception."""

from __future__ import annotations

import click

from rerank.core.redaction import redacted

DONE, FAILED, INTERRUPTED = 0, 1, 130

INSTALL_TRAINING = "pip install 'rerank-service[train]'"
TRAINING_LIBRARIES = ("accelerate", "datasets", "matplotlib", "sentence_transformers", "torch", "transformers")
"""Import names that only the extra `train` installs."""


def click_error(error: Exception) -> click.ClickException:
    """Returns the error that the command line shows for *error*, on one line.

    Invalid requests and index names come from the arguments, so they are usage errors (exit code 2). Everything else
    exits with 1.
    """
    from rerank.core.errors import InvalidIndexName, InvalidRequest, RerankError

    if isinstance(error, InvalidRequest | InvalidIndexName):
        return click.UsageError(_one_line(error.message))
    if isinstance(error, RerankError):
        return click.ClickException(_one_line(error.message))
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in TRAINING_LIBRARIES:
        return click.ClickException(f"This command needs {error.name}, which is not installed. Run: {INSTALL_TRAINING}")
    return click.ClickException(
        _one_line(f"Unexpected {type(error).__name__}: {error}. Run the command with --debug to see the traceback.")
    )


def _one_line(message: str) -> str:
    return redacted(" ".join(message.split()))
