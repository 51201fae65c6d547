"""Removal of this machine's paths from messages for clients. The log keeps them."""

from __future__ import annotations

import re

_ABSOLUTE_PATH = re.compile(r"(?<![\w:/.~%-])/(?:[^\s/:;,\"'()]+/)*[^\s/:;,\"'()]+")


def without_paths(message: str) -> str:
    """Returns *message* with each absolute path shortened: a folder to its name, a file to its folder and name."""
    return _ABSOLUTE_PATH.sub(lambda match: _shortened(match[0]), message)


def _shortened(path: str) -> str:
    *_, parent, name = ["", *path.strip("/").split("/")]
    return f"{parent}/{name}" if parent and "." in name.rstrip(".") else name
