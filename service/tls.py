"""Certificate of the service."""

from __future__ import annotations

import ssl

from rerank.core.errors import SettingError
from rerank.core.settings import Settings


def check_certificate(settings: Settings) -> None:
    """Raises SettingError if the certificate or its key is missing or invalid. No certificate is valid, too."""
    if not settings.tls_certificate and not settings.tls_key:
        return
    if not settings.tls_certificate or not settings.tls_key:
        raise SettingError("tls_certificate and tls_key must be set together, got one of them. Set the other one.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as exc:
        raise SettingError(
            f"tls_certificate and tls_key must be a certificate in PEM format and its key, got "
            f"{settings.tls_certificate} and {settings.tls_key} ({exc}). Correct the paths."
        ) from exc
