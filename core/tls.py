"""TLS contexts of connections to the search server."""

from __future__ import annotations

import ssl

from rerank.core.errors import SettingError


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Returns a context that trusts the authorities in *ca_file*, or those of the system.

    Raises SettingError unless *ca_file* is a PEM file with certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        # ssl.SSLError is an OSError, too.
        raise SettingError(
            f"setting store_ca_file must be a PEM file with certificates, got {ca_file} ({exc})."
        ) from exc
