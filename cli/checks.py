"""Checks of `rerank-cli doctor`: one finding each, with the fix."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from rerank.cli import composition, model_checks
from rerank.cli.failures import INSTALL_TRAINING
from rerank.cli.model_checks import Judgments
from rerank.cli.output import store_location
from rerank.core.errors import EncoderMismatch, RerankError
from rerank.core.pipeline import check_encoder
from rerank.core.protocols import Encoder, Store
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings

Model = TypeVar("Model")
OK, WARN, FAIL = "ok", "warn", "fail"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
PACKAGES = ("openvino", "tokenizers", "lancedb", "opensearch-py", "flask", "gunicorn")
TRAINING = ("torch", "transformers", "sentence-transformers")
REINSTALL = "Run: pip install --force-reinstall rerank-service"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check: `state` is ok, warn or fail."""

    state: str
    subject: str
    finding: str


def check(settings: Settings, judgments: Judgments | None = None) -> list[Finding]:
    """Runs all checks, even after one has failed. With *judgments* it also checks the order of judged queries."""
    encoder, encoder_finding = _check_encoder(settings)
    findings = [*_installation(), encoder_finding, *_rerankers(settings), *_store(settings, encoder)]
    return findings if judgments is None else [*findings, _judged_order(settings, judgments)]


def repair(settings: Settings) -> list[Finding]:
    """Repairs the catalog of the store. Returns a finding for the catalog, and one for each table that is left out."""
    try:
        left_out = composition.repair_store(settings)
    except RerankError as exc:
        return [Finding(FAIL, "repair", exc.message)]
    if left_out is None:
        return [Finding(OK, "repair", "not needed: only the catalog of an embedded store can be repaired")]
    return [
        Finding(OK, "repair", "the catalog has been rebuilt"),
        *(Finding(WARN, "repair", f"left out: table {line}") for line in left_out),
    ]


def _judged_order(settings: Settings, judgments: Judgments) -> Finding:
    subject = f"order of {judgments.index.name}"
    try:
        improves, finding = model_checks.judged_order(settings, judgments)
    except RerankError as exc:
        return Finding(FAIL, subject, exc.message)
    return Finding(OK if improves else WARN, subject, finding)


def _installation() -> Iterator[Finding]:
    python = platform.python_version()
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        yield Finding(OK, "python", python)
    else:
        yield Finding(WARN, "python", f"{python} is untested. Use Python 3.11, 3.12 or 3.13.")
    for package in PACKAGES:
        if _is_installed(package):
            yield Finding(OK, package, version(package))
        else:
            yield Finding(FAIL, package, f"not installed. {REINSTALL}")
    missing = [package for package in TRAINING if not _is_installed(package)]
    if missing:
        yield Finding(
            OK, "training", f"optional, not installed: {', '.join(missing)}. To train, run: {INSTALL_TRAINING}"
        )
    else:
        yield Finding(OK, "training", ", ".join(f"{package} {version(package)}" for package in TRAINING))


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _check_encoder(settings: Settings) -> tuple[Encoder | None, Finding]:
    def describe(encoder: Encoder) -> str:
        return f"{encoder.name} ({encoder.fingerprint[:12]}), {encoder.dim} dimensions, {encoder.max_tokens} tokens"

    return _loaded(f"encoder {settings.encoder}", partial(composition.encoder, settings), describe)


def _rerankers(settings: Settings) -> Iterator[Finding]:
    def describe(model: RankingModel) -> str:
        reranker = model.reranker
        return f"{reranker.name} ({reranker.fingerprint[:12]}), {reranker.max_tokens} tokens"

    models = composition.LazyRerankers(settings)
    names: dict[str, str | None] = {settings.reranker: None, **{name: name for name in settings.rerankers}}
    for shown, name in names.items():
        load: Callable[[], RankingModel] = partial(models.get, name)
        # Unpacked on a separate line, because mypy would infer the optional type of `model` for describe.
        loaded = _loaded(f"reranker {shown}", load, describe)
        model, finding = loaded
        yield finding
        if model is not None and model.warning is not None:
            yield Finding(WARN, finding.subject, model.warning)
    if (changed := model_checks.changed_since_promotion(settings)) is not None:
        yield Finding(WARN, "promotion", changed)


def _store(settings: Settings, encoder: Encoder | None) -> Iterator[Finding]:
    location = store_location(settings.store)
    try:
        with composition.opened_store(settings) as store:
            store.ping()
            folder = Path(settings.store)
            if folder.is_dir() and not os.access(folder, os.W_OK):
                yield Finding(FAIL, "store", f"Cannot write to {location}. Give this user write access to the folder.")
            else:
                yield Finding(OK, "store", location)
            yield from _indexes(store, encoder, settings)
    except RerankError as exc:
        yield Finding(FAIL, "store", exc.message)


def _indexes(store: Store, encoder: Encoder | None, settings: Settings) -> Iterator[Finding]:
    infos = store.indexes()
    if not infos:
        yield Finding(OK, "indexes", "none. Create one: rerank-cli ingest CORPUS --index NAME")
        return
    languages = model_checks.model_languages(settings)
    for info in infos:
        subject, counts = f"index {info.name}", f"{info.documents} documents, {info.passages} passages"
        if encoder is None:
            yield Finding(WARN, subject, f"{counts}; not checked, because the encoder cannot be loaded")
            continue
        index = store.open(info.name)
        try:
            check_encoder(index, encoder)
        except EncoderMismatch as exc:
            yield Finding(FAIL, subject, exc.message)
        else:
            yield Finding(OK, subject, counts)
            for warning in model_checks.unsupported_languages(index, languages):
                yield Finding(WARN, f"language of {info.name}", warning)


def _loaded(subject: str, load: Callable[[], Model], describe: Callable[[Model], str]) -> tuple[Model | None, Finding]:
    """Returns the model with its description as the finding, or None with the error that *load* raises."""
    try:
        model = load()
        return model, Finding(OK, subject, describe(model))
    except RerankError as exc:
        return None, Finding(FAIL, subject, exc.message)
    except ImportError as exc:
        return None, Finding(FAIL, subject, f"{exc}. {REINSTALL}")
