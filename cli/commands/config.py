"""`rerank-cli config`."""

from __future__ import annotations

import cloup

from rerank.cli.options import epilog, json_option, loaded_settings
from rerank.cli.output import absolute, print_json, print_table, store_location
from rerank.core.settings import Settings
from rerank.core.settings_loading import PREFIX

FOLDERS = ("models_home", "cache_dir")


@cloup.command(name="config", epilog=epilog("rerank-cli config --json", settings=False))
@json_option
def command(*, as_json: bool) -> None:
    """Show every setting, its value and its source. Passwords and API keys are masked."""
    loaded = loaded_settings({})
    values = loaded.settings.masked()
    if as_json:
        print_json({name: {"value": value, "origin": loaded.origins[name]} for name, value in values.items()})
        return
    rows = [
        [name, _shown(loaded.settings, name, value), loaded.origins[name], PREFIX + name.upper()]
        for name, value in values.items()
    ]
    print_table(["setting", "value", "source", "environment variable"], rows)


def _shown(settings: Settings, name: str, value: object) -> str:
    if name == "store":
        return store_location(settings.store)
    if name in FOLDERS:
        return absolute(str(value))
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
