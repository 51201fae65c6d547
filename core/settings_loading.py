"""Settings merged from flags, environment and `rerank.toml`.

Precedence: flag, environment (`RERANK_*`), `rerank.toml` in the working directory, default.

pydantic-settings is not used: it raises the CPU time of importing this module from 0.18 to 0.29 seconds in every
command, and saves no lines, because the origin of each value, the nearest name for an unknown one, and an environment
passed as an argument each need a custom source.
"""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rerank.core.errors import SettingError
from rerank.core.kubernetes_variables import is_set_by_kubernetes
from rerank.core.redaction import protect_settings
from rerank.core.settings import Settings

_log = logging.getLogger(__name__)

PREFIX = "RERANK_"
FILE = "rerank.toml"
_SECRET = frozenset({"store", "store_api_key", "api_keys"})

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
    # All layers: a message can quote a secret of the environment that a flag replaces.
    for _, layer in layers:
        protect_settings(layer)
    try:
        return LoadedSettings(Settings.model_validate(values), origins)
    except ValidationError as exc:
        raise SettingError(_explain(exc, origins)) from exc


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
    ignored = []
    for variable, value in environ.items():
        if variable.startswith(PREFIX):
            if is_set_by_kubernetes(variable.removeprefix(PREFIX), value):
                ignored.append(variable)
                continue
            name = variable.removeprefix(PREFIX).lower()
            _check_known(name, variable, lambda known: PREFIX + known.upper())
            values[name] = value
    if ignored:
        _log.info("ignored variables that Kubernetes sets for a service: %s", ", ".join(sorted(ignored)))
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
