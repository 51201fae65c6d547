"""How a command fails: one line on stderr and an exit code."""

from __future__ import annotations

import click

TRAINING_LIBRARIES = ("accelerate", "datasets", "matplotlib", "sentence_transformers", "torch", "transformers")
"""What the base installation lacks."""

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class Failed(click.ClickException):
    """It could not be done."""

    exit_code = FAILED

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Misused(Failed):
    """What was typed cannot be done."""

    exit_code = USAGE


def failure(error: Exception) -> click.ClickException:
    """What is shown for *error*. A request's key and an index's name were typed; all else has failed."""
    from rerank.core.errors import InvalidIndexName, InvalidRequest, RerankError

    if isinstance(error, InvalidRequest | InvalidIndexName):
        return Misused(error.message)
    if isinstance(error, RerankError):
        return Failed(error.message)
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in TRAINING_LIBRARIES:
        return Failed(f"this needs {error.name}, which is not installed: pip install 'rerank[train]' brings it")
    return Failed(f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where")
