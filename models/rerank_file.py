"""rerank.json: metadata of a model folder beyond the Hugging Face layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator, model_validator

from rerank.core.calibration import UNCALIBRATED, Calibration, Evidence, QueryEvidence
from rerank.core.errors import ModelInvalid
from rerank.core.features import Feature
from rerank.core.fusion import DEFAULT_FUSION, ScoreFusion

RERANK_FILE = "rerank.json"
_OLD_FEATURES = frozenset({"first_stage", "logit_rank", "text_rank", "text_score", "vector_rank"})
INSTRUCTION = "{instruction}"
"""Placeholder for the instruction of a request in the prompt `instruction`."""
Kind = Literal["encoder", "reranker", "similarity", "classifier"]


class _Fitted(BaseModel):
    model_config = ConfigDict(frozen=True)


class FittedFusion(_Fitted):
    """Fitted weights of the features of a candidate. ScoreFusion describes the features."""

    features: tuple[Feature, ...]
    weights: tuple[Annotated[FiniteFloat, Field(ge=0)], ...]
    fitted_on: object = None

    @field_validator("features", mode="before")
    @classmethod
    def _current_features(cls, features: object) -> object:
        old = sorted(set(features) & _OLD_FEATURES) if isinstance(features, list) else []
        if old:
            raise ValueError(
                f"was fitted by rerank 0.1 with the removed features {', '.join(old)}. "
                'Run `rerank-cli models calibrate` again, or remove "fusion" and "calibration"'
            )
        return features

    @model_validator(mode="after")
    def _has_one_weight_per_feature(self) -> Self:
        if len(self.weights) != len(self.features) or len(set(self.features)) != len(self.features):
            raise ValueError("must have one weight per feature, and no feature twice")
        if dict(zip(self.features, self.weights, strict=True)).get("logit", 0.0) <= 0:
            raise ValueError('the weight of "logit" must be above 0')
        return self

    def score_fusion(self) -> ScoreFusion:
        """Returns the weights divided by the weight of the logit: only their ratio determines the order."""
        weights = dict(zip(self.features, self.weights, strict=True))
        logit = weights.pop("logit")
        return ScoreFusion({name: weight / logit for name, weight in weights.items()})


class FittedEvidence(_Fitted):
    """Stored form of QueryEvidence."""

    weight: FiniteFloat
    typical: FiniteFloat


class PlattParameters(_Fitted):
    """Stored form of Calibration."""

    slope: FiniteFloat = Field(gt=0)
    intercept: FiniteFloat
    evidence: Mapping[Evidence, FittedEvidence] = Field(default_factory=dict)

    def calibration(self) -> Calibration:
        """Returns the calibration."""
        evidence = {name: QueryEvidence(stored.weight, stored.typical) for name, stored in self.evidence.items()}
        return Calibration(self.slope, self.intercept, evidence)


class CalibrationParameters(_Fitted):
    """Calibrations of fused scores and of logits alone."""

    fused: PlattParameters
    logit: PlattParameters


class FittedCalibration(_Fitted):
    """Fitted mapping from scores to probabilities of relevance."""

    method: Literal["platt"]
    parameters: CalibrationParameters
    fitted_on: object = None


class MeasuredCosines(_Fitted):
    """Stored form of CosineScale: mean cosines of an encoder."""

    unrelated: FiniteFloat
    matching: FiniteFloat


class RerankFile(BaseModel):
    """The keys of rerank.json that the service uses. All have defaults; other keys are ignored."""

    model_config = ConfigDict(frozen=True)

    kind: Kind | None = None
    architecture: str | None = None
    prompts: Mapping[str, str] = Field(default_factory=dict)
    max_tokens: int | None = Field(default=None, ge=8)
    fusion: FittedFusion | None = None
    calibration: FittedCalibration | None = None
    min_score: float | None = Field(default=None, ge=0, le=1)
    cosine_scale: MeasuredCosines | None = None
    passage_tokens: int | None = Field(default=None, ge=8)
    languages: tuple[str, ...] = ()
    default: bool = False

    @field_validator("prompts")
    @classmethod
    def _has_known_prompts(cls, prompts: Mapping[str, str]) -> Mapping[str, str]:
        if unknown := sorted(set(prompts) - {"query", "document", "instruction"}):
            raise ValueError(f'must have only the keys "query", "document" and "instruction", got {", ".join(unknown)}')
        if INSTRUCTION not in prompts.get("instruction", INSTRUCTION):
            raise ValueError(f'the prompt "instruction" must contain {INSTRUCTION}')
        return prompts

    @property
    def instruction_prompt(self) -> str | None:
        """Prompt of queries with {instruction} in place of a request's instruction; None if the model takes none."""
        return self.prompts.get("instruction")

    @property
    def score_fusion(self) -> ScoreFusion:
        """The fitted fusion of the model, else the default fusion."""
        return self.fusion.score_fusion() if self.fusion else DEFAULT_FUSION

    @property
    def fused_calibration(self) -> Calibration:
        """Calibration of fused scores; the sigmoid without a fit."""
        return self.calibration.parameters.fused.calibration() if self.calibration else UNCALIBRATED

    @property
    def logit_calibration(self) -> Calibration:
        """Calibration of logits alone; the sigmoid without a fit."""
        return self.calibration.parameters.logit.calibration() if self.calibration else UNCALIBRATED


def read_rerank_file(folder: Path) -> RerankFile:
    """Returns the folder's rerank.json, or the defaults without one. Raises ModelInvalid, naming file and key."""
    file = folder / RERANK_FILE
    if not file.exists():
        return RerankFile()
    try:
        return RerankFile.model_validate(read_object(file))
    except ValidationError as exc:
        problems = exc.errors(include_url=False, include_context=False)
        message = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in problems
        )
        raise ModelInvalid(f"{file}: {message}") from exc


def read_object(file: Path) -> dict[str, object]:
    """Returns the JSON object in *file*. Raises ModelInvalid, naming the file."""
    value = read_json(file)
    if not isinstance(value, dict):
        raise ModelInvalid(f"{file}: must contain a JSON object, got {type(value).__name__}")
    return value


def read_json(file: Path) -> object:
    """Returns the JSON value in *file*. Raises ModelInvalid, naming the file."""
    try:
        value: object = json.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelInvalid(f"cannot read {file}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ModelInvalid(f"{file} is not valid JSON: {exc}") from exc
    return value
