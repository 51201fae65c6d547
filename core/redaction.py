"""Masking of secrets in every text that leaves the process: errors, logs, responses and the output of commands.

The secrets of the settings are registered when the settings are read, before anything can fail because of them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
MIN_SECRET_CHARACTERS = 4
"""A shorter secret is masked in the store's location only: it occurs by chance in most texts."""

_SEPARATORS = "@#/?:; \t\\"
"""Characters at which a URL parser splits a password that is not percent-encoded; errors then quote a part."""

_SCHEME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")

_lock = threading.Lock()
_secrets: tuple[str, ...] = ()


def protect(secrets: Iterable[str]) -> None:
    """Registers *secrets*, which redacted() masks from now on in this process and its forks."""
    global _secrets
    found = {form for secret in secrets for form in _forms(secret) if len(form) >= MIN_SECRET_CHARACTERS}
    with _lock:
        # The longest first: a part of a password must not be masked before the password.
        _secrets = tuple(sorted(found.union(_secrets), key=len, reverse=True))


def protect_settings(values: Mapping[str, object]) -> None:
    """Registers the secrets in settings, which may be invalid: the password of `store`, and all keys."""
    store, key, keys = (values.get(name) for name in ("store", "store_api_key", "api_keys"))
    protect([store_password(store)] if isinstance(store, str) else [])
    protect(value for value in (key, *(keys if isinstance(keys, list | tuple) else ())) if isinstance(value, str))
    protect(part.strip() for part in keys.split(",")) if isinstance(keys, str) else None


def redacted(text: str) -> str:
    """Returns *text* with every registered secret masked, also percent-encoded or in part."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def store_password(location: str) -> str:
    """Returns the password in a store's location, or an empty string. Covers malformed locations."""
    user_and_password, separator, _ = _without_scheme(location).rpartition("@")
    return user_and_password.partition(":")[2] or user_and_password if separator else ""


def masked_location(location: str) -> str:
    """Returns a store's location without its password, for messages and logs.

    Everything between the user and the last `@` is masked. If the scheme is mistyped, the user is masked, too, because
    the password can be anywhere.
    """
    rest = _without_scheme(location)
    user_and_password, separator, host = rest.rpartition("@")
    if not separator:
        return location
    scheme = location[: len(location) - len(rest)]
    user, colon, _ = user_and_password.partition(":")
    if scheme.lower() in ("http://", "https://") and not any(character in user for character in _SEPARATORS):
        return f"{scheme}{user}{colon}{MASK if colon else ''}@{host}"
    # A folder can contain @, but has no colon and no scheme.
    return f"{MASK}@{host}" if colon or scheme else location


def _without_scheme(location: str) -> str:
    scheme, separator, rest = location.partition("://")
    return rest if separator and scheme and set(scheme) <= _SCHEME_CHARACTERS else location


def _forms(secret: str) -> Iterator[str]:
    """Yields *secret* as it can appear in a message: as given, encoded, decoded, quoted, or split by a URL parser."""
    for plain in {secret, unquote(secret)}:
        yield from (plain, quote(plain), quote(plain, safe=""), quote_plus(plain), repr(plain)[1:-1])
        yield from (json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
        parts = [plain]
        for separator in _SEPARATORS:
            parts = [piece for part in parts for piece in part.split(separator)]
        yield from parts
        yield from (part.lower() for part in parts)


class RedactingFormatter(logging.Formatter):
    """Formatter that masks the registered secrets in the whole record, with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the formatted record."""
        return redacted(super().format(record))


def redact_logs() -> None:
    """Masks secrets in everything that the handlers of the root logger write."""
    for handler in logging.getLogger().handlers:
        current = handler.formatter
        style = current._fmt if current is not None else None
        handler.setFormatter(RedactingFormatter(style, current.datefmt if current is not None else None))
