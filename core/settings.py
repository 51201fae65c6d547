"""All settings in one frozen object, merged from flags, environment and `rerank.toml`.

Precedence: flag, environment (`RERANK_*`), `rerank.toml` in the working directory, default.

pydantic-settings is not used: it raises the CPU time of importing this module from 0.18 to 0.29 seconds in every
command, and saves no lines, because the origin of each value, the nearest name for an unknown one, and an environment
passed as an argument each need a custom source.
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
"""Limit of k and depth: the default result window of OpenSearch."""

_PASSWORD = re.compile(r"^(https?://[^/?#:@]*:)[^/?#]*@", re.IGNORECASE)
"""A pattern instead of a URL parser, because the password of a malformed URL must be masked, too."""
_SECRET = frozenset({"store", "api_keys"})

_RULES = {
    "Value error, ": "",
    "Input should be": "must be",
    "String should have at least 1 character": "must not be empty",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "a valid tuple": "a list of strings",
}
"""Phrases of pydantic, and their replacements in messages."""

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
    """Returns the pairs from `name=field,field;name` (flag or environment) or from a table (file)."""
    if isinstance(value, str):
        parts = [part.partition("=") for part in value.split(";") if part.strip()]
        return tuple((name.strip(), _comma_separated(fields)) for name, _, fields in parts)
    return (
        tuple((name, _comma_separated(fields)) for name, fields in value.items()) if isinstance(value, dict) else value
    )


ProxyIndexes = Annotated[
    tuple[tuple[Annotated[str, Field(min_length=1)], tuple[str, ...]], ...], BeforeValidator(_indexes_with_fields)
]
"""Index names or patterns, each with the fields to score; no fields means all text fields."""


class Settings(BaseModel):
    """All settings. The description of a field is the help text of its flag."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    store: str = Field(
        "rerank-data",
        min_length=1,
        description="Store of the indexes: a folder, or http(s)://[user:password@]host:port of an OpenSearch server.",
    )
    encoder: str = Field(
        "default", min_length=1, description="Bi-encoder: a built-in name, a model folder or a hub id."
    )
    reranker: str = Field(
        "default", min_length=1, description="Cross-encoder: a built-in name, a model folder or a hub id."
    )
    rerankers: Names = Field((), description="Additional cross-encoders that a request can name, comma-separated.")
    models_home: str = Field("rerank-models", min_length=1, description="Folder that records the promoted models.")
    runtime: Runtime = Field(
        "auto", description="Library that runs the models; auto selects the fastest one installed."
    )
    precision: Precision = Field(
        "auto",
        description="Number format of model computations; auto selects the fastest one with scores close to float32.",
    )
    cache_dir: str = Field(
        "~/.cache/rerank", min_length=1, description="Folder for converted models, created if missing."
    )
    mode: Mode = Field("hybrid", description="First stage: vector search, text search, or both fused by rank.")
    depth: int = Field(100, ge=1, le=MAX_RESULTS, description="Number of documents to retrieve and rerank.")
    k: int = Field(10, ge=1, le=MAX_RESULTS, description="Number of hits to return.")
    fusion: Fusion = Field(
        "auto",
        description="Final order: auto combines cross-encoder and first stage, none uses the cross-encoder alone.",
    )
    contenders: int = Field(30, ge=0, le=MAX_RESULTS, description="Number of top candidates to score; 0 scores all.")
    timeout_ms: int = Field(2000, ge=1, description="Time budget for reranking one search, in milliseconds.")
    analyzer: Analyzer = Field("standard", description="Text analyzer of new indexes.")
    engine: Engine = Field("lucene", description="k-NN engine of new OpenSearch indexes.")
    host: str = Field("127.0.0.1", min_length=1, description="IP address or host name to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port to listen on; 0 selects a free port.")
    threads: int = Field(16, ge=1, le=1024, description="Number of concurrent requests per worker.")
    max_waiting: int = Field(
        16,
        ge=1,
        le=1024,
        description="Number of requests being scored or queued per worker; further requests are refused.",
    )
    score_cache_mb: int = Field(
        16,
        ge=0,
        le=65536,
        description="Memory for cached scores and query vectors per worker, in megabytes; 0 disables the cache.",
    )
    max_body_mb: int = Field(32, ge=1, le=1024, description="Largest accepted request body, in megabytes.")
    proxy_indexes: ProxyIndexes = Field(
        (), description="OpenSearch indexes to rerank by default, as name=field,field;..."
    )
    proxy_shadow: float = Field(
        0.0, ge=0, le=1, description="Fraction of searches to rerank in shadow mode (metrics only), from 0 to 1."
    )
    proxy_timeout_s: int = Field(300, ge=1, le=86_400, description="Timeout of a forwarded request, in seconds.")
    api_keys: Names = Field(
        (), description="API keys that requests must send, comma-separated; none disables authentication."
    )

    @model_validator(mode="after")
    def _k_within_depth(self) -> Self:
        if self.k > self.depth:
            raise ValueError(f"k must be at most depth ({self.depth}), got {self.k}. Raise depth or lower k.")
        return self

    def masked(self) -> dict[str, object]:
        """Returns all values by name, with API keys and the password of the store masked."""
        shown: dict[str, object] = self.model_dump()
        shown["store"] = masked_location(self.store)
        shown["api_keys"] = ["***"] * len(self.api_keys)
        return shown

    def __repr__(self) -> str:
        return f"Settings({self.masked()})"

    __str__ = __repr__


@dataclass(frozen=True)
class LoadedSettings:
    """Settings with the origin of each value: `flag`, `environment`, the path of the file, or `default`."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(flags: Mapping[str, object], *, environ: Mapping[str, str], directory: Path) -> LoadedSettings:
    """Returns the settings merged from *flags*, *environ*, the file in *directory*, and the defaults.

    A flag that is None was not passed. Raises SettingError for an unknown name (with the nearest setting), an invalid
    value, and a file that is not valid TOML.
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
    """Returns *store* with its password masked, for messages and logs."""
    return _PASSWORD.sub(r"\1***@", store)


def _from_file(file: Path) -> Mapping[str, object]:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingError(f"{file} is not valid TOML: {exc}") from exc
    except OSError as exc:
        raise SettingError(f"Cannot read {file}: {exc.strerror}.") from exc
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
    raise SettingError(
        f"{shown} is not a setting. Did you mean {spell(nearest[0])}? rerank-cli config lists all settings."
    )


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Returns one sentence per invalid setting: its name, origin and rule, and the value unless it is secret."""
    sentences = []
    for problem in error.errors(include_url=False, include_context=False):
        rule = problem["msg"]
        for phrase, replacement in _RULES.items():
            rule = rule.replace(phrase, replacement)
        if problem["loc"]:
            name = str(problem["loc"][0])
            given = "" if name in _SECRET else f", got {problem['input']!r}"
            sentences.append(f"setting {name} (from {origins.get(name, 'flag')}) {rule}{given}.")
        else:
            sentences.append(rule)
    return " ".join(sentences)
