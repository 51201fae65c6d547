"""Product and version of a search server, from its response to `GET /`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ProductName = Literal["OpenSearch", "Elasticsearch"]

_RELEASE = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Product and version. `version` is empty if the user may not read it.

    serverless: True for Elastic Cloud Serverless, which manages shards itself.
    """

    product: ProductName
    version: str = ""
    serverless: bool = False

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor version, or None if unknown."""
        found = _RELEASE.match(self.version)
        return (int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.product} {self.version}".strip()


def server_info(response: Mapping[str, Any]) -> ServerInfo | None:
    """Returns the server that sent *response*, the body of `GET /`; None for another product.

    Only OpenSearch sends `version.distribution`. Every Elasticsearch sends `version.build_flavor`.
    """
    version = response.get("version")
    if not isinstance(version, Mapping):
        return None
    number = str(version.get("number", ""))
    if version.get("distribution") == "opensearch":
        return ServerInfo("OpenSearch", number)
    if "build_flavor" in version:
        return ServerInfo("Elasticsearch", number, serverless=version["build_flavor"] == "serverless")
    return None
