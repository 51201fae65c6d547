"""Network address of the OpenSearch server behind the proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from rerank.core.errors import SettingError
from rerank.core.redaction import masked_location

_DEFAULT_PORTS = {"http": 9200, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Address of an OpenSearch server, without credentials.

    `prefix` precedes the path of every request: empty, or `/path` without a trailing slash. The user and password of
    the setting serve the service's own requests only, so an Address does not hold them.
    """

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @classmethod
    def parse(cls, location: str) -> Self:
        """Returns the address in the setting `store`.

        Raises SettingError if *location* is not `http(s)://[user:password@]host:port`.
        """
        masked = masked_location(location)
        parts = urlsplit(location)
        try:
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError as exc:
            raise SettingError(f"store: the port must be between 1 and 65535, got {masked}. Correct the URL.") from exc
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise SettingError(f"store must be http(s)://[user:password@]host:port, got {masked}. Correct the URL.")
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Host and port. They replace the client's Host header in every forwarded request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.prefix}"


def is_server_url(location: str) -> bool:
    """Returns True if the setting `store` names a server, and False if it names a folder."""
    return urlsplit(location).scheme in _DEFAULT_PORTS
