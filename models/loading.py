"""Loads the models in the settings, checks them, and runs each once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rerank.core.errors import ModelError, ModelInvalid, ModelNotFound
from rerank.core.fusion import CROSS_ENCODER_ALONE, DEFAULT_FUSION, ScoreFusion
from rerank.core.protocols import Encoder, Reranker
from rerank.core.ranking import RankingModel
from rerank.core.setting_types import Fusion
from rerank.core.settings import Settings
from rerank.models.catalog import BUILT_IN, check_role, ranking_warning, resolve
from rerank.models.compute_options import AUTO_COMPUTE, ComputeOptions
from rerank.models.conversion import prepare
from rerank.models.encoder import BiEncoder
from rerank.models.folder import ModelFolder
from rerank.models.logit_scale import logit_deviation
from rerank.models.promotion import with_promoted
from rerank.models.public_names import PublicNames, configured_names, reranker_names
from rerank.models.rerank_file import INSTRUCTION
from rerank.models.reranker import CrossEncoderReranker
from rerank.models.runtimes.choice import runtime_for
from rerank.models.shared_resources import SharedResources

_log = logging.getLogger(__name__)
_SAMPLE_TEXT = "Is it ready?"


def load_encoder(
    name: str, *, compute: ComputeOptions = AUTO_COMPUTE, shared: SharedResources | None = None
) -> Encoder:
    """Loads the bi-encoder *name*: `default`, a built-in name, a folder or a hub id.

    *shared*: resources in common with other models of the process. Raises ModelNotFound for an unknown name,
    ModelInvalid for a model that cannot be loaded as an encoder, and SettingError for an unavailable runtime.
    """
    folder = resolve(name, role="encoder")
    check_role(folder, "encoder")
    encoder = BiEncoder.from_folder(folder, runtime=runtime_for(folder, compute), shared=shared)
    try:
        encoder.encode_queries([_SAMPLE_TEXT])
    except ModelError as exc:
        raise ModelInvalid(f"{folder.path}: the encoder fails: {exc}") from exc
    return encoder


@dataclass(frozen=True)
class RankingOptions:
    """Options for loading rerankers.

    shipped: folder of the built-in rerankers. shared: resources in common with other models of the process.
    contenders: the setting of this name.
    """

    compute: ComputeOptions = AUTO_COMPUTE
    fusion: Fusion = "auto"
    shipped: Path = BUILT_IN
    shared: SharedResources | None = None
    contenders: int = 0


def load_ranking_model(name: str, *, compute: ComputeOptions = AUTO_COMPUTE, fusion: Fusion = "auto") -> RankingModel:
    """Loads the reranker *name*, with its stored fusion and cut-off.

    Raises ModelNotFound for an unknown name, ModelInvalid for a model that cannot be loaded as a reranker, and
    SettingError for an unavailable runtime.
    """
    return _load_ranking_model(name, RankingOptions(compute, fusion))


class LoadedModels:
    """Thread-safe collection of the rerankers that requests can select.

    The constructor loads the default reranker and raises the errors of load_ranking_model. The others are loaded at
    their first use.
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
        names: PublicNames | None = None,
    ) -> None:
        self._options = RankingOptions(compute, fusion, shipped, shared or SharedResources(), contenders)
        self._public = names or PublicNames.of("reranker", default, others, shipped=shipped)
        self._loaded: dict[str, RankingModel] = {}
        self._loading = threading.Lock()
        self.load()

    @classmethod
    def of(cls, settings: Settings, *, shared: SharedResources | None = None, public: bool = True) -> Self:
        """Loads the rerankers in *settings*, with the promoted reranker in place of `default`.

        *public*: name models by their public names; False: by their names in *settings*, paths included. Raises the
        errors of load_ranking_model and with_promoted.
        """
        settings = with_promoted(settings)
        return cls(
            settings.reranker,
            settings.rerankers,
            compute=ComputeOptions.of(settings),
            fusion=settings.fusion,
            shared=shared,
            contenders=settings.contenders,
            names=reranker_names(settings) if public else configured_names(settings),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names that requests can use in addition to `default`; the default model is first."""
        return self._public.names

    def load(self) -> None:
        """Loads the default model and converts the others, so that no request waits for a conversion."""
        self.get(None)
        for name in dict.fromkeys(self._public.targets.values()):
            if name == self._public.default:
                continue
            try:
                prepare(resolve(name, role="reranker", shipped=self._options.shipped), self._options.compute)
            except (ModelNotFound, ModelError) as exc:
                _log.warning("cannot prepare the reranker %s: %s", name, exc)

    def get(self, name: str | None) -> RankingModel:
        """Returns the model *name*; None and `default` select the default model.

        Raises ModelNotFound for a name that is not configured, and ModelInvalid if the model cannot be loaded.
        """
        target = self._public.target(name, what="reranker")
        model = self._loaded.get(target)
        if model is not None:
            return model
        with self._loading:
            if target not in self._loaded:
                self._loaded[target] = self._load(target)
            return self._loaded[target]

    def _load(self, target: str) -> RankingModel:
        name = self._public.name_of(target)
        try:
            return _load_ranking_model(target, self._options, public_name=name)
        except ModelNotFound as exc:
            if target == self._public.default:
                raise
            # The request is valid, but the folder is missing. ModelInvalid lets a search continue without reranking.
            raise ModelInvalid(f"cannot load the configured reranker {name}: {exc.message}") from exc


def _load_ranking_model(name: str, options: RankingOptions, *, public_name: str | None = None) -> RankingModel:
    folder = resolve(name, role="reranker", shipped=options.shipped)
    if public_name is not None:
        folder = replace(folder, name=public_name)
    check_role(folder, "reranker")
    if (warning := ranking_warning(folder)) is not None:
        _log.warning("%s", warning)
    reranker = CrossEncoderReranker.from_folder(
        folder,
        runtime=runtime_for(folder, options.compute),
        shared=options.shared,
        passage_tokens=folder.rerank.passage_tokens or 0,
    )
    try:
        reranker.score(_SAMPLE_TEXT, [_SAMPLE_TEXT])
    except ModelError as exc:
        raise ModelInvalid(f"{folder.path}: the reranker fails: {exc}") from exc
    stored = folder.rerank
    logit_only = options.fusion == "none"
    return RankingModel(
        reranker,
        fusion=CROSS_ENCODER_ALONE if logit_only else _fusion(folder, reranker),
        fitted=stored.fusion is not None,
        min_score=stored.min_score,
        calibration=stored.logit_calibration if logit_only else stored.fused_calibration,
        logit_calibration=stored.logit_calibration,
        warning=warning,
        contenders=options.contenders,
        with_instruction=_with_instruction(reranker, stored.instruction_prompt),
    )


def _with_instruction(reranker: CrossEncoderReranker, prompt: str | None) -> Callable[[str], Reranker] | None:
    if prompt is None:
        return None
    return lambda instruction: reranker.with_query_prompt(prompt.replace(INSTRUCTION, instruction))


def _fusion(folder: ModelFolder, reranker: Reranker) -> ScoreFusion:
    """Returns the fitted fusion, or the default fusion on the scale of the reranker's logits."""
    fitted = folder.rerank.fusion
    return DEFAULT_FUSION.scaled(logit_deviation(reranker)) if fitted is None else fitted.score_fusion()
