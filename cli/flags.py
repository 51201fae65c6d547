"""Every setting as a flag, on the commands that use it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from pydantic.fields import FieldInfo

from rerank.cli.failures import Misused
from rerank.core.errors import SettingError
from rerank.core.settings import PREFIX, LoadedSettings, Settings, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])

COMPUTING = ("runtime", "precision", "cache_dir")
"""What computes a model, whichever it is."""

RANKING = ("depth", "mode", "store", "encoder", "reranker", "models_home", *COMPUTING, "fusion")
"""What makes the order of a search."""

_SHORT = {"k": ["-k"]}
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def settings_flags(*names: str) -> Callable[[Command], Command]:
    """Give a command a flag for each of the settings *names*, and all settings as its argument `settings`."""

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def with_settings(*args: Any, **kwargs: Any) -> Any:
            flags = {name: kwargs.pop(name) for name in names}
            return command(*args, settings=loaded(flags).settings, **kwargs)

        wrapped: Any = with_settings
        for name in reversed(names):
            wrapped = _flag(name)(wrapped)
        return wrapped  # type: ignore[no-any-return]  # click's decorators keep the callable

    return decorated


def loaded(flags: Mapping[str, object]) -> LoadedSettings:
    """The settings of this process, here, with *flags* on top.

    Raises SettingError, and a usage error when it is the flags that do not fit.
    """
    try:
        return _load(flags)
    except SettingError as exc:
        _load({})  # environment and file are looked at alone first: what is wrong there is no misuse of the flags
        raise Misused(exc.message) from exc


def _load(flags: Mapping[str, object]) -> LoadedSettings:
    return load_settings(flags, environ=os.environ, directory=Path.cwd())


def _flag(name: str) -> Callable[[Any], Any]:
    field = Settings.model_fields[name]
    spelled = [*_SHORT.get(name, []), f"--{name.replace('_', '-')}"]
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    return click.option(
        *spelled,
        name,
        type=_kind(field),
        default=None,
        help=f"{field.description}  [{PREFIX}{name.upper()}; default: {default if default != '' else 'none'}]",
    )


def _kind(field: FieldInfo) -> click.ParamType[Any]:
    """What the flag takes, so that a wrong value is told before anything is opened."""
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if choices:
        return click.Choice(choices)
    if field.annotation is not int:
        return click.STRING
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    return click.IntRange(min=bounds.get("ge"), max=bounds.get("le"))
