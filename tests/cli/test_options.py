"""Tests of the options made from the settings, and of every --help text."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from rerank.cli.main import cli
from rerank.cli.options import RARE, SettingOption
from rerank.core.settings import Settings


def leaf_commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Returns every command below *group* that is not a group, with its full name."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaf_commands(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(leaf_commands(cli))


def test_every_setting_is_an_option_unless_it_is_rare() -> None:
    """A new setting gets an option on some command, or is listed as rare."""
    options = {
        parameter.name
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter, SettingOption)
    }
    assert set(Settings.model_fields) == options | RARE
    assert options & RARE == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_describes_every_option(name: str) -> None:
    """Help texts are sentences: they start with a capital letter and end with a period."""
    command = COMMANDS[name]
    assert f"Example: rerank-cli {name}" in (command.epilog or "")
    assert command.help
    assert command.help.split("\n")[0].rstrip().endswith(".")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.opts for option in options if not (option.help or "").endswith(".")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_flag_is_spelled_in_one_way(name: str) -> None:
    """--help shows one spelling of each option. If a command has option groups, every option is in one."""
    command = COMMANDS[name]
    ctx = click.Context(command)
    records = [parameter.get_help_record(ctx) for parameter in command.params]
    assert [record[0] for record in records if record and ", " in record[0]] == []
