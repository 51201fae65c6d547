"""Functions of the public interface, each of which creates one object from settings."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from rerank.cli.composition import opened_pipeline
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings as _load_settings

if TYPE_CHECKING:
    from flask import Flask

    from rerank.core.pairs import PairPredictions
    from rerank.core.pipeline import SearchPipeline
    from rerank.core.protocols import Encoder, Reranker, Store

DEFAULTS = Settings()


def load_settings(**values: object) -> Settings:
    """Returns the settings from *values*, the environment (`RERANK_*`), `rerank.toml` and the defaults, in this order.

    Raises SettingError for an unknown name or an invalid value.
    """
    return _load_settings(values, environ=os.environ, directory=Path.cwd()).settings


def open_store(location: str, *, settings: Settings = DEFAULTS) -> Store:
    """Opens the store at *location*: a folder, which is created if it is missing, or the URL of a search server.

    *settings* provides `threads`, the number of concurrent searches for which the store keeps connections open to a
    server (16 by default), `store_api_key` and `store_ca_file`. Close the store after use. Raises StoreUnavailable for an unusable folder, and SettingError for an
    invalid URL.
    """
    from rerank.index.opening import open_store as open_location

    return open_location(
        location, threads=settings.threads, api_key=settings.store_api_key, ca_file=settings.store_ca_file
    )


def load_encoder(name: str = "default", *, settings: Settings = DEFAULTS) -> Encoder:
    """Loads a bi-encoder by built-in name, model folder or hub id, with the runtime and precision of *settings*.

    Raises ModelNotFound and ModelInvalid.
    """
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.loading import load_encoder as load

    return load(name, compute=ComputeOptions.of(settings))


def load_reranker(name: str = "default", *, settings: Settings = DEFAULTS) -> Reranker:
    """Loads a cross-encoder by built-in name, model folder or hub id. Its `score` method returns logits.

    Raises ModelNotFound and ModelInvalid.
    """
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.loading import load_ranking_model

    return load_ranking_model(name, compute=ComputeOptions.of(settings)).reranker


def score_pairs(
    pairs: Sequence[tuple[str, str]], *, model: str = "default", settings: Settings = DEFAULTS
) -> PairPredictions:
    """Returns the labels and probabilities that a cross-encoder of any kind gives to *pairs*, in input order.

    A reranker has one label: the probability that the second text answers the first. Raises ModelNotFound and
    ModelInvalid.
    """
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.pair_models import load_pair_model

    return load_pair_model(model, compute=ComputeOptions.of(settings)).predict(pairs)


def open_pipeline(settings: Settings, *, index: str) -> AbstractContextManager[SearchPipeline]:
    """Returns a context manager with the search pipeline of *settings*; it closes the store at the end.

    Raises IndexNotFound on entry if the store has no *index*.
    """
    return opened_pipeline(settings, index=index)


def create_app(settings: Settings) -> Flask:
    """Returns the WSGI application of the service. Loads the store and the models first, which takes seconds.

    The store, connections and threads close when the process exits.
    """
    from rerank.service.app import create_app as create
    from rerank.service.components import build

    components = build(settings)
    atexit.register(components.close)
    components.load()
    return create(components)
