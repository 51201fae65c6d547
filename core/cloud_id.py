"""Elastic Cloud IDs, which name a deployment instead of its URL."""

from __future__ import annotations

import base64
import binascii

PREFIX = "cloud_id:"


def with_resolved_cloud_id(location: str) -> str:
    """Returns the URL of `cloud_id:NAME:BASE64`, and any other *location* unchanged.

    The decoded part is `host[:port]$id of Elasticsearch[$id of Kibana]`. Raises ValueError for an invalid cloud ID.
    """
    if not location.startswith(PREFIX):
        return location
    try:
        decoded = base64.b64decode(location.rpartition(":")[2], validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    host, _, deployments = decoded.partition("$")
    deployment = deployments.partition("$")[0]
    name, _, own_port = deployment.partition(":")
    domain, _, port = host.partition(":")
    if not domain or not name or not (own_port or port or "443").isdigit():
        raise ValueError("must be cloud_id:NAME:BASE64, as Elastic Cloud shows it for the deployment")
    return f"https://{name}.{domain}:{own_port or port or '443'}"
