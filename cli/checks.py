"""What `rerank-cli doctor` looks at, one finding each, with what to do about it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rerank.cli import composition, model_checks
from rerank.cli.model_checks import Judgments
from rerank.core.errors import EncoderMismatch, RerankError
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, Store
from rerank.core.settings import Settings, masked_location

OK, WARN, FAIL = "ok", "warn", "fail"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
PACKAGES = ("openvino", "tokenizers", "lancedb", "opensearch-py", "flask", "gunicorn")
TRAINING = ("torch", "transformers", "sentence-transformers")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `state` is ok, warn or fail."""

    state: str
    subject: str
    finding: str


def check(settings: Settings, judgments: Judgments | None = None) -> list[Finding]:
    """Look at everything, however much of it fails; at the order of *judgments* too, where there are any."""
    encoder = _Encoder(settings)
    found = [*_installation(), encoder.finding, *_rerankers(settings), *_store(settings, encoder.loaded)]
    return found if judgments is None else [*found, _order(settings, judgments)]


def _order(settings: Settings, judgments: Judgments) -> Finding:
    subject = f"order of {judgments.index}"
    try:
        good, said = model_checks.order(settings, judgments)
    except RerankError as exc:
        return Finding(FAIL, subject, exc.message)
    return Finding(OK if good else WARN, subject, said)


def _installation() -> Iterator[Finding]:
    python = platform.python_version()
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        yield Finding(OK, "python", python)
    else:
        yield Finding(WARN, "python", f"{python} was never tried; 3.11 to 3.13 were")
    for package in PACKAGES:
        try:
            yield Finding(OK, package, version(package))
        except PackageNotFoundError:
            yield Finding(FAIL, package, "not installed; install the project again with make venv")
    missing = [package for package in TRAINING if not _installed(package)]
    if missing:
        yield Finding(OK, "training", f"not installed ({', '.join(missing)}); rerank[train] brings it")
    else:
        yield Finding(OK, "training", ", ".join(f"{package} {version(package)}" for package in TRAINING))


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


class _Encoder:
    """The configured encoder, and what is to be said of it."""

    def __init__(self, settings: Settings) -> None:
        self.loaded: Encoder | None = None
        self.finding = _looked_at(f"encoder {settings.encoder}", lambda: self._load(settings))

    def _load(self, settings: Settings) -> str:
        self.loaded = encoder = composition.encoder(settings)
        return f"{encoder.name} ({encoder.fingerprint[:12]}), {encoder.dim} dimensions, {encoder.max_tokens} tokens"


def _rerankers(settings: Settings) -> Iterator[Finding]:
    models = composition.Rerankers(settings)

    def look(name: str | None) -> Callable[[], str]:
        def described() -> str:
            reranker = models.get(name).reranker
            return f"{reranker.name} ({reranker.fingerprint[:12]}), {reranker.max_tokens} tokens"

        return described

    for shown, name in [(settings.reranker, None), *((name, name) for name in settings.rerankers)]:
        finding = _looked_at(f"reranker {shown}", look(name))
        yield finding
        if finding.state == OK and (warning := models.get(name).warning) is not None:
            yield Finding(WARN, finding.subject, warning)
    if (changed := model_checks.changed_since_promotion(settings)) is not None:
        yield Finding(WARN, "promotion", changed)


def _store(settings: Settings, encoder: Encoder | None) -> Iterator[Finding]:
    where = masked_location(settings.store)
    try:
        with composition.opened_store(settings) as store:
            store.ping()
            folder = Path(settings.store)
            if folder.is_dir() and not os.access(folder, os.W_OK):
                yield Finding(FAIL, "store", f"{where} cannot be written to; give its folder to this user")
            else:
                yield Finding(OK, "store", where)
            yield from _indexes(store, encoder, settings)
    except RerankError as exc:
        yield Finding(FAIL, "store", exc.message)


def _indexes(store: Store, encoder: Encoder | None, settings: Settings) -> Iterator[Finding]:
    infos = store.indexes()
    models = model_checks.readers(settings) if infos else {}
    if not infos:
        yield Finding(OK, "indexes", "none yet; make one with rerank-cli ingest CORPUS --index NAME")
    for info in infos:
        subject, counted = f"index {info.name}", f"{info.documents} documents, {info.passages} passages"
        if encoder is None:
            yield Finding(WARN, subject, f"{counted}; there is no encoder to compare its own with")
            continue
        try:
            check_encoder(store.open(info.name), encoder)
        except EncoderMismatch as exc:
            yield Finding(FAIL, subject, exc.message)
        else:
            yield Finding(OK, subject, counted)
            for said in model_checks.unread(store.open(info.name), models):
                yield Finding(WARN, f"language of {info.name}", said)


def _looked_at(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(OK, subject, look())
    except RerankError as exc:
        return Finding(FAIL, subject, exc.message)
    except ImportError as exc:
        return Finding(FAIL, subject, f"{exc}; install the project again with make venv")
