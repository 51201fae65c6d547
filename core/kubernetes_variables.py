"""Environment variables that Kubernetes sets for the services of a namespace.

A service named `rerank` sets `RERANK_SERVICE_HOST`, `RERANK_PORT=tcp://10.0.0.1:8000` and others in every pod of its
namespace. See https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
"""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_PORT_NAME = re.compile(r"(?:[A-Z0-9_]+_)?PORT")
_PORT_VALUE = re.compile(r"(?:tcp|udp|sctp)://[^/]+:\d+")


def is_set_by_kubernetes(name: str, value: str) -> bool:
    """Returns True if Kubernetes sets a variable `RERANK_` + *name* with *value* for a service."""
    if _NAME.fullmatch(name):
        return True
    return _PORT_NAME.fullmatch(name) is not None and _PORT_VALUE.fullmatch(value) is not None
