"""Where the server is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from rerank.core.errors import SettingError
from rerank.core.settings import masked_location

_DEFAULT_PORTS = {"http": 9200, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """An OpenSearch. `prefix` stands before every path: empty, or `/path` without a slash at its end.

    A user and password in the setting serve our own requests only, so they are not kept here.
    """

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @classmethod
    def parse(cls, location: str) -> Self:
        """From the setting `store`. Raises SettingError for what is no `http(s)://[user:password@]host:port`."""
        shown = masked_location(location)
        parts = urlsplit(location)
        try:
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError as exc:
            raise SettingError(f"store: the port of {shown} is no number up to 65535") from exc
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise SettingError(f"store: {shown} is not http(s)://[user:password@]host:port")
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """The Host header of every request: never a client's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.prefix}"


def is_server(location: str) -> bool:
    """Whether the setting `store` leads to a server, and not to a folder."""
    return urlsplit(location).scheme in _DEFAULT_PORTS
