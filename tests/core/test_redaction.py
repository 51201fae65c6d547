from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank.cli.failures import click_error
from rerank.core.errors import RerankError, StoreError
from rerank.core.redaction import RedactingFormatter, masked_location, protect, redacted, store_password
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings
from rerank.index.opening import open_store
from rerank.service.errors import error_body
from rerank.service.proxy.address import Address

SCHEMES = ["http://", "https://", "HTTP://", "htp://", "http:/", "http//", "https:", "", "ftp://", "http ://"]
PASSWORDS = st.text("@#/?: \\%&=+\"'[]{}xyzXYZ019è", min_size=6, max_size=20).filter(lambda text: text.strip() == text)


def parts_of(password: str) -> list[str]:
    """Returns the password and its parts that are long enough to recognize."""
    text = password
    for separator in "@#/?: \\":
        text = text.replace(separator, "\0")
    return [part for part in (password, *text.split("\0")) if len(part) >= 4]


@given(PASSWORDS, st.sampled_from(SCHEMES))
@settings(max_examples=150, deadline=None)
def test_no_message_shows_the_password_of_the_store(password: str, scheme: str) -> None:
    """Messages of the settings, the stores, the proxy, the service and the command line are masked."""
    location = f"{scheme}admin:{password}@host-name:9200"
    messages = [masked_location(location)]
    try:
        loaded = load_settings({"store": location, "depth": 0}, environ={}, directory=Path("/nonexistent"))
        messages.append(repr(loaded.settings))
    except RerankError as exc:
        messages.append(redacted(exc.message))
    for use in (Address.parse, open_if_url):
        try:
            use(location)
        except (RerankError, ValueError) as exc:
            messages += [str(click_error(exc)), str(error_body(str(exc), "Validation"))]
    messages.append(str(error_body(f"cannot connect to {location}", "Store")))
    shown = [(part, message) for part in parts_of(password) for message in messages if part in message]
    assert shown == []


def open_if_url(location: str) -> None:
    """Opens the store of *location* unless it would be a folder."""
    if "://" in location:
        open_store(location).close()


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://host:9200", "http://host:9200"),
        ("https://user:p@ss@host:9200/path", "https://user:***@host:9200/path"),
        ("https://user:p/a#s?s@host:9200", "https://user:***@host:9200"),
        ("https://user@host", "https://user@host"),
        ("https://us/er:pass@host", "***@host"),
        ("htps://user:pass@host", "***@host"),
        ("https//user:pass@host", "***@host"),
        ("user:pass@host", "***@host"),
        ("data", "data"),
        ("data@home", "data@home"),
        ("/var/lib/rerank", "/var/lib/rerank"),
    ],
)
def test_location_is_masked_up_to_the_last_at_sign(location: str, shown: str) -> None:
    """When the user cannot be told from the password, both are masked."""
    assert masked_location(location) == shown
    assert "ss" not in store_password(location) or "ss" not in masked_location(location)


def test_log_record_is_masked_with_its_traceback() -> None:
    """The formatter covers the message, its arguments and the exception."""
    protect(["correct horse"])
    try:
        raise StoreError("refused correct horse")
    except StoreError as exc:
        record = logging.makeLogRecord(
            {"msg": "failed %s", "args": ("correct%20horse",), "exc_info": (type(exc), exc, exc.__traceback__)}
        )
    text = RedactingFormatter("%(message)s").format(record)
    assert "horse" not in text
    assert text.startswith("failed ***")


def test_keys_of_all_sources_are_masked(tmp_path: Path) -> None:
    """A key of the environment is a secret, even if the file or a flag replaces it."""
    (tmp_path / "rerank.toml").write_text('api_keys = ["of-the-file"]\nstore_api_key = "of-the-store"', "utf-8")
    load_settings({"api_keys": "of-the-flag"}, environ={"RERANK_API_KEYS": "of-env-1, of-env-2"}, directory=tmp_path)
    text = "of-the-file of-the-store of-the-flag of-env-1 of-env-2"
    assert redacted(text) == "*** *** *** *** ***"


def test_short_secret_does_not_change_other_words() -> None:
    """A password of three letters would mask parts of most messages. The location does not show it either way."""
    protect(["abc"])
    assert redacted("abcdef") == "abcdef"
    assert "abc" not in repr(Settings(store="http://user:abc@host"))
