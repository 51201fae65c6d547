"""Every setting of the product, in one frozen object.

Precedence: flag, then environment (`RERANK_*`), then `rerank.toml` in the working directory, then the default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rerank.core.errors import SettingError

PREFIX = "RERANK_"
FILE = "rerank.toml"
MAX_RESULTS = 10_000
"""Neither k nor depth goes above it: OpenSearch's own result window."""

_PASSWORD = re.compile(r"^(https?://[^/?#:@]*:)[^/?#]*@", re.IGNORECASE)
"""By pattern and not by a URL parser: an address that is none must not give its password away either."""
_SECRET = frozenset({"store", "api_keys"})

Mode = Literal["vector", "text", "hybrid"]
Runtime = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Fusion = Literal["auto", "none"]
Analyzer = Literal["standard", "english", "italian"]
Engine = Literal["lucene", "faiss"]


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]


def _indexes_with_fields(value: object) -> object:
    """`name=field,field;name` from a flag or the environment, or a table from the file."""
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(";") if part.strip()]
        return tuple((name.strip(), _comma_separated(fields)) for name, _, fields in parts)
    return (
        tuple((name, _comma_separated(fields)) for name, fields in value.items()) if isinstance(value, dict) else value
    )


ProxyIndexes = Annotated[
    tuple[tuple[Annotated[str, Field(min_length=1)], tuple[str, ...]], ...], BeforeValidator(_indexes_with_fields)
]
"""Index names or patterns, each with the fields that are read (none: all text fields)."""


class Settings(BaseModel):
    """What the product can be told. Each field's description is its help text and its line in the docs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    store: str = Field(
        "rerank-data",
        min_length=1,
        description="A folder (embedded), or http(s)://[user:password@]host:port (OpenSearch).",
    )
    encoder: str = Field(
        "default", min_length=1, description="Bi-encoder: a built-in name, a model folder or a hub id."
    )
    reranker: str = Field(
        "default", min_length=1, description="Cross-encoder: a built-in name, a model folder or a hub id."
    )
    rerankers: Names = Field((), description="Further rerankers that a request may name, comma-separated.")
    models_home: str = Field(
        "rerank-models", min_length=1, description="The folder that remembers which model was promoted."
    )
    runtime: Runtime = Field("auto", description="What runs the models; auto takes the fastest that is installed.")
    precision: Precision = Field(
        "auto", description="What the models compute in; auto takes the fastest whose scores stay near float32's."
    )
    cache_dir: str = Field(
        "~/.cache/rerank", min_length=1, description="Folder of converted models, made when it is missing."
    )
    mode: Mode = Field("hybrid", description="First stage: by vector, by text, or both fused by rank.")
    depth: int = Field(100, ge=1, le=MAX_RESULTS, description="Documents that are re-ranked.")
    k: int = Field(10, ge=1, le=MAX_RESULTS, description="Hits that are returned.")
    fusion: Fusion = Field(
        "auto", description="Final order: combined with the first stage, or by the cross-encoder alone."
    )
    contenders: int = Field(30, ge=0, le=MAX_RESULTS, description="Number of top candidates to score; 0 scores all.")
    passage_tokens: int = Field(
        0, ge=0, le=100_000, description="Tokens that are read of a passage: where the query's words are; 0: all."
    )
    timeout_ms: int = Field(2000, ge=1, description="Time for re-ranking one search, in milliseconds.")
    analyzer: Analyzer = Field("standard", description="Text analyser of new indexes.")
    engine: Engine = Field("lucene", description="k-NN engine of new OpenSearch indexes.")
    host: str = Field("127.0.0.1", min_length=1, description="Address that the service listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the service listens on; 0 takes a free one.")
    threads: int = Field(16, ge=1, le=1024, description="Requests served at once by each worker.")
    max_waiting: int = Field(
        16, ge=1, le=1024, description="Requests whose texts are scored or wait for it; one more is refused."
    )
    score_cache_mb: int = Field(
        16, ge=0, le=65536, description="Memory for scores and query vectors, in megabytes; 0 keeps none."
    )
    max_body_mb: int = Field(32, ge=1, le=1024, description="Largest request body that is read, in megabytes.")
    proxy_indexes: ProxyIndexes = Field(
        (), description="name=field,field;...: OpenSearch indexes whose searches are re-ranked without being asked."
    )
    proxy_shadow: float = Field(
        0.0, ge=0, le=1, description="Share of the searches that is re-ranked beside its answer, only to be counted."
    )
    proxy_timeout_s: int = Field(
        300, ge=1, le=86_400, description="Seconds that OpenSearch may take over a forwarded request."
    )
    api_keys: Names = Field(
        (), description="Keys that requests must carry, comma-separated; none: open, on loopback only."
    )

    @model_validator(mode="after")
    def _k_within_depth(self) -> Self:
        if self.k > self.depth:
            raise ValueError(f"k ({self.k}) is above depth ({self.depth}); raise depth or lower k")
        return self

    def masked(self) -> dict[str, object]:
        """Every value as it may be shown: keys and the store's password are hidden."""
        shown: dict[str, object] = self.model_dump()
        shown["store"] = masked_location(self.store)
        shown["api_keys"] = ["***"] * len(self.api_keys)
        return shown

    def __repr__(self) -> str:
        return f"Settings({self.masked()})"

    __str__ = __repr__


@dataclass(frozen=True)
class LoadedSettings:
    """Settings, and where each value came from: `flag`, `environment`, the path of the file, or `default`."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(flags: Mapping[str, object], *, environ: Mapping[str, str], directory: Path) -> LoadedSettings:
    """Merge the four sources. Flags that are None were not given.

    Raises SettingError for a name that is no setting (with the nearest one), a value that the setting cannot hold,
    and a file that is not TOML.
    """
    file = directory / FILE
    layers: list[tuple[str, Mapping[str, object]]] = [
        (str(file), _from_file(file)),
        ("environment", _from_environment(environ)),
        ("flag", {name: value for name, value in flags.items() if value is not None}),
    ]
    values: dict[str, object] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers:
        values.update(layer)
        origins.update(dict.fromkeys(layer, origin))
    try:
        return LoadedSettings(Settings.model_validate(values), origins)
    except ValidationError as exc:
        raise SettingError(_explain(exc, origins)) from exc


def masked_location(store: str) -> str:
    """The store's address without its password, for messages and logs."""
    return _PASSWORD.sub(r"\1***@", store)


def _from_file(file: Path) -> Mapping[str, object]:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingError(f"{file}: not TOML: {exc}") from exc
    except OSError as exc:
        raise SettingError(f"{file}: cannot be read: {exc.strerror}") from exc
    for name in values:
        _check_known(name, f'{file}: "{name}"', str)
    return values


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, object]:
    values: dict[str, object] = {}
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            _check_known(name, variable, lambda known: PREFIX + known.upper())
            values[name] = value
    return values


def _check_known(name: str, shown: str, spell: Callable[[str], str]) -> None:
    if name in Settings.model_fields:
        return
    nearest = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0)
    raise SettingError(f"{shown} is not a setting; the nearest is {spell(nearest[0])} (all: rerank-cli config)")


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            name = str(problem["loc"][0])
            given = "" if name in _SECRET else f", not {problem['input']!r}"
            lines.append(f"setting {name} (from {origins.get(name, 'flag')}): {reason}{given}")
        else:
            lines.append(reason)
    return "; ".join(lines)
