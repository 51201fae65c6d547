"""From a setting's value to a model that is ready: loaded, checked, and run once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rerank.core.errors import ModelError, ModelInvalid, ModelNotFound
from rerank.core.fusion import CROSS_ENCODER_ALONE
from rerank.core.protocols import Encoder
from rerank.core.ranking import RankingModel
from rerank.core.settings import Fusion, Settings
from rerank.models.catalog import BUILT_IN, DEFAULT, check_role, default_name, ranking_warning, resolve
from rerank.models.compute_options import AUTO_COMPUTE, ComputeOptions
from rerank.models.conversion import prepare
from rerank.models.encoder import BiEncoder
from rerank.models.promotion import with_promoted
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.choice import runtime_for
from rerank.models.shared_resources import SharedResources

_log = logging.getLogger(__name__)
_SENTENCE = "Is it ready?"


def load_encoder(
    name: str, *, compute: ComputeOptions = AUTO_COMPUTE, shared: SharedResources | None = None
) -> Encoder:
    """The bi-encoder that *name* means: `default`, a built-in name, a folder or a hub id.

    *shared*: what it has in common with the process's other models; by default nothing.

    Raises ModelNotFound when there is none, ModelInvalid when it cannot be loaded as an encoder, and SettingError for
    a runtime that is not available.
    """
    folder = resolve(name, role="encoder")
    check_role(folder, "encoder")
    encoder = BiEncoder.from_folder(folder, runtime=runtime_for(folder, compute), shared=shared)
    try:
        encoder.encode_queries([_SENTENCE])
    except ModelError as exc:
        raise ModelInvalid(f"{folder.path}: loaded, but it cannot encode: {exc}") from exc
    return encoder


@dataclass(frozen=True)
class RankingOptions:
    """How rerankers are loaded. *shipped* holds the built-in ones' folders; *shared* is what they have in common;
    *contenders* and *passage_tokens* are the settings of these names."""

    compute: ComputeOptions = AUTO_COMPUTE
    fusion: Fusion = "auto"
    shipped: Path = BUILT_IN
    shared: SharedResources | None = None
    contenders: int = 0
    passage_tokens: int = 0


def load_ranking_model(name: str, *, compute: ComputeOptions = AUTO_COMPUTE, fusion: Fusion = "auto") -> RankingModel:
    """The reranker that *name* means, with the fusion and the cut-off stored beside it.

    Raises ModelNotFound when there is none, ModelInvalid when it cannot be loaded as one, and SettingError for a
    runtime that is not available.
    """
    return _load_ranking_model(name, RankingOptions(compute, fusion))


class LoadedModels:
    """The rerankers that requests may name: the default one is loaded at once, another when it is first asked for.

    Raises at construction what load_ranking_model raises for the default one. Safe for many threads.
    """

    def __init__(
        self,
        default: str,
        others: Sequence[str] = (),
        *,
        compute: ComputeOptions = AUTO_COMPUTE,
        fusion: Fusion = "auto",
        shipped: Path = BUILT_IN,
        shared: SharedResources | None = None,
        contenders: int = 0,
        passage_tokens: int = 0,
    ) -> None:
        self._options = RankingOptions(
            compute, fusion, shipped, shared or SharedResources(), contenders, passage_tokens
        )
        self._default = self._called(default)
        self.names = tuple(dict.fromkeys([self._default, *map(self._called, others)]))
        """What requests may say, beside `default`; the default one first."""
        self._loaded: dict[str, RankingModel] = {}
        self._loading = threading.Lock()
        self.load()

    @classmethod
    def of(cls, settings: Settings, *, shared: SharedResources | None = None) -> Self:
        """The rerankers that *settings* name, a promoted one in place of `default`.

        Raises what load_ranking_model and with_promoted raise.
        """
        named = with_promoted(settings)
        return cls(
            named.reranker,
            named.rerankers,
            compute=ComputeOptions.of(named),
            fusion=named.fusion,
            shared=shared,
            contenders=named.contenders,
            passage_tokens=named.passage_tokens,
        )

    def load(self) -> None:
        """Load the default model, if it is not loaded yet, and make the others ready: nobody's request converts one."""
        self.get(None)
        for name in self.names[1:]:
            try:
                prepare(resolve(name, role="reranker", shipped=self._options.shipped), self._options.compute)
            except (ModelNotFound, ModelError) as exc:
                _log.warning("the reranker %s cannot be made ready: %s", name, exc)

    def get(self, name: str | None) -> RankingModel:
        """The model of that name, None or `default`: the default one.

        Raises ModelNotFound for a name that is not configured, ModelInvalid for one that cannot be loaded.
        """
        name = self._default if name in (None, DEFAULT) else name
        if name not in self.names:
            raise ModelNotFound(f'no reranker "{name}" is configured; there are: {", ".join(self.names)}')
        model = self._loaded.get(name)
        if model is not None:
            return model
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _load(self, name: str) -> RankingModel:
        try:
            return _load_ranking_model(name, self._options)
        except ModelNotFound as exc:
            if name == self._default:
                raise
            # Configured, so the request is right: the folder is gone, and a search can do without it.
            raise ModelInvalid(f"the reranker {name} is configured and cannot be loaded: {exc.message}") from exc

    def _called(self, name: str) -> str:
        return default_name("reranker", shipped=self._options.shipped) if name == DEFAULT else name


def _load_ranking_model(name: str, options: RankingOptions) -> RankingModel:
    folder = resolve(name, role="reranker", shipped=options.shipped)
    check_role(folder, "reranker")
    if (warning := ranking_warning(folder)) is not None:
        _log.warning("%s", warning)
    reranker = CrossEncoderReranker.from_folder(
        folder,
        runtime=runtime_for(folder, options.compute),
        shared=options.shared,
        passage_tokens=options.passage_tokens,
    )
    try:
        reranker.score(_SENTENCE, [_SENTENCE])
    except ModelError as exc:
        raise ModelInvalid(f"{folder.path}: loaded, but it cannot score: {exc}") from exc
    said = folder.rerank
    alone = options.fusion == "none"
    return RankingModel(
        reranker,
        fusion=CROSS_ENCODER_ALONE if alone else said.score_fusion,
        min_score=said.min_score,
        calibration=said.logit_calibration if alone else said.fused_calibration,
        logit_calibration=said.logit_calibration,
        warning=warning,
        contenders=options.contenders,
    )
