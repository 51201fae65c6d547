"""Command-line options that are derived from the settings, and options that several commands share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import cloup
from click.core import ParameterSource
from pydantic.fields import FieldInfo

from rerank.core.errors import SettingError
from rerank.core.settings import Settings
from rerank.core.settings_loading import PREFIX, LoadedSettings, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

READ_SETTINGS = "rerank.read_settings"
"""Key of click's meta data: a function that reads the settings again, with the same options."""

RUNTIME = ("runtime", "precision")
RANKING = ("depth", "mode", "fusion", "contenders")

RARE = frozenset(
    {
        "allowed_hosts",
        "cache_dir",
        "client_timeout_s",
        "cors_origins",
        "engine",
        "max_body_mb",
        "max_connections",
        "max_search_body_mb",
        "max_waiting",
        "models_home",
        "path_prefix",
        "proxy_shadow",
        "proxy_shadow_log",
        "proxy_timeout_s",
        "score_cache_mb",
        "store_api_key",
        "store_ca_file",
        "tls_certificate",
        "tls_key",
        "vector_index",
    }
)
"""Settings without an option. They are set in rerank.toml or the environment; docs/settings.md lists them."""

json_option = cloup.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class SettingOption(cloup.Option):
    """Option for one setting, shown with the setting's environment variable and default."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:  # noqa: ARG002  # click's signature
        """Returns None: load_settings reads the environment, and reports a wrong variable with exit code 1."""
        return None

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Returns the option's line of --help, which shows only the first spelling."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace("-k, --k", "-k"), record[1])


def epilog(example: str, *, settings: bool = True) -> str:
    """Returns the end of a --help text: *example*, and where *settings* come from if the command has any."""
    sources = (
        "\n\nSettings also come from the environment and from rerank.toml in the working directory."
        " 'rerank-cli config' lists all of them."
    )
    # \\b keeps Click from wrapping the example.
    return f"\b\nExample: {example}{sources if settings else ''}"


def setting_options(*names: str) -> list[Decorator]:
    """Returns one option for each of the settings *names*, in that order."""
    return [_setting_option(name) for name in names]


def with_settings(command: Command) -> Command:
    """Passes the settings to *command* as its argument `settings`. Options given on the command line come first."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        ctx = click.get_current_context()
        options = {str(option.name) for option in ctx.command.params if isinstance(option, SettingOption)}
        values = {name: kwargs.pop(name) for name in options}
        given = {
            name: value
            for name, value in values.items()
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        ctx.meta[READ_SETTINGS] = lambda: loaded_settings(given).settings
        return command(*args, settings=loaded_settings(given).settings, **kwargs)

    return wrapped  # type: ignore[return-value]  # wraps keeps the name and the docstring that Click reads


def loaded_settings(given: Mapping[str, object]) -> LoadedSettings:
    """Returns the settings of this process in the working directory, overridden by the options *given*.

    Raises SettingError, or click.UsageError when an option causes it.
    """
    try:
        return _load(given)
    except SettingError as exc:
        _load({})  # An error in the environment or the file is not a usage error, so it is raised first.
        raise click.UsageError(exc.message) from exc


def _load(given: Mapping[str, object]) -> LoadedSettings:
    return load_settings(given, environ=os.environ, directory=Path.cwd())


def _setting_option(name: str) -> Decorator:
    field = Settings.model_fields[name]
    default = field.default if field.default not in ("", ()) else None
    return cloup.option(
        *(["-k"] if name == "k" else []),
        f"--{name.replace('_', '-')}",
        name,
        cls=SettingOption,
        type=_click_type(field),
        default=",".join(default) if isinstance(default, tuple) else default,
        show_default=True,
        envvar=PREFIX + name.upper(),
        show_envvar=True,
        help=field.description,
    )


def _click_type(field: FieldInfo) -> click.ParamType[Any]:
    """Returns the Click type with the choices and the range of *field*."""
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if choices:
        return click.Choice(choices)
    if field.annotation not in (int, float):
        return click.STRING
    bounds = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(rule, name, None) is not None
    }
    number_range = click.IntRange if field.annotation is int else click.FloatRange
    return number_range(
        min=bounds.get("ge", bounds.get("gt")),
        max=bounds.get("le", bounds.get("lt")),
        min_open="gt" in bounds,
        max_open="lt" in bounds,
    )
