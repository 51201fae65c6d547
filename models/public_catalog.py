"""The models that requests can name, as GET /models lists them: by public name, without paths."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from rerank.core.errors import ModelError, ModelNotFound
from rerank.core.settings import Settings
from rerank.models.catalog import BUILT_IN, Role, resolve
from rerank.models.public_names import PublicNames, encoder_names, reranker_names

_log = logging.getLogger(__name__)


def public_catalog(settings: Settings, *, shipped: Path = BUILT_IN) -> list[dict[str, object]]:
    """Returns one entry per public name, the encoder first; logs and skips unreadable models.

    A name that selects both the default reranker and the default encoder is listed as a reranker.
    """
    rerankers = reranker_names(settings, shipped=shipped)
    encoders = encoder_names(settings, shipped=shipped)
    return [
        *(entry for entry in _entries(encoders, "encoder", shipped) if entry["name"] not in rerankers.targets),
        *_entries(rerankers, "reranker", shipped),
    ]


def _entries(names: PublicNames, role: Role, shipped: Path) -> Iterator[dict[str, object]]:
    for name, target in names.targets.items():
        try:
            folder = resolve(target, role=role, shipped=shipped, reach_hub=False)
            yield {
                "name": name,
                "kind": folder.kind,
                "architecture": folder.architecture,
                "fingerprint": folder.fingerprint,
                "languages": list(folder.rerank.languages),
                "max_tokens": folder.max_tokens,
                "default": target == names.default,
            }
        except (ModelNotFound, ModelError) as exc:
            _log.warning("skipped a model in the list: %s", exc)
