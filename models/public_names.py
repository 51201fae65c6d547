"""Names by which requests select models. A folder is never named by its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rerank.core.errors import ModelNotFound
from rerank.core.setting_types import ModelNames
from rerank.core.settings import Settings
from rerank.models.catalog import BUILT_IN, DEFAULT, Role, built_in_models, default_name, is_hub_id

ANY = "*"
"""Public name in the setting `model_names` that stands for all names that are not configured."""


@dataclass(frozen=True)
class PublicNames:
    """Public names of the models of one role.

    default: the default model as in the settings. targets: the model as in the settings by public name; the names of
    the default model come first. fallback: the model of all other names, None to refuse them.
    """

    default: str
    targets: Mapping[str, str]
    fallback: str | None = None

    @classmethod
    def of(
        cls,
        role: Role,
        default: str,
        others: Sequence[str] = (),
        mapped: ModelNames = (),
        *,
        shipped: Path = BUILT_IN,
    ) -> Self:
        """Returns the names of *default* and *others* (as in the settings), and the names in *mapped*.

        The name of a folder is the first name that *mapped* gives it, or else the last part of its path. Raises
        ModelNotFound without a built-in default.
        """

        def resolved(name: str) -> str:
            return default_name(role, shipped=shipped) if name == DEFAULT else name

        aliases = {public: resolved(target) for public, target in mapped}
        fallback = aliases.pop(ANY, None)
        built_in = built_in_models(shipped)
        first, *rest = dict.fromkeys(map(resolved, [default, *others, *dict(mapped).values()]))
        targets: dict[str, str] = {}
        for target in (first, *rest):
            is_folder = target not in built_in and _is_folder(target)
            if not is_folder:
                targets[target] = target
            elif target not in aliases.values():
                targets[_unused_name(Path(target).expanduser().resolve().name, {*targets, *aliases})] = target
        default_first = sorted({**targets, **aliases}.items(), key=lambda item: item[1] != first)
        return cls(first, dict(default_first), fallback)

    @property
    def names(self) -> tuple[str, ...]:
        """All public names."""
        return tuple(self.targets)

    def target(self, name: str | None, *, what: str) -> str:
        """Returns the model of *name* as in the settings; None and `default` select the default model.

        Raises ModelNotFound for a name that is not configured. *what*: the kind of model, for the message.
        """
        if name is None or name == DEFAULT:
            return self.targets.get(DEFAULT, self.default)
        target = self.targets.get(name, self.fallback)
        if target is None:
            raise ModelNotFound(f'{what} "{name}" is not configured. Configured: {", ".join(self.names)}')
        return target

    def name_of(self, target: str) -> str:
        """Returns the first public name of a model."""
        return next(name for name, model in self.targets.items() if model == target)


def reranker_names(settings: Settings, *, shipped: Path = BUILT_IN) -> PublicNames:
    """Returns the names of the rerankers in *settings*. Names that are mapped to the encoder are left out."""
    encoders = {settings.encoder, default_name("encoder", shipped=shipped)} - {DEFAULT}
    mapped = tuple((name, target) for name, target in settings.model_names if target not in encoders)
    return PublicNames.of("reranker", settings.reranker, settings.rerankers, mapped, shipped=shipped)


def configured_names(settings: Settings, *, shipped: Path = BUILT_IN) -> PublicNames:
    """Returns the rerankers by their names in *settings*, paths included, for commands on this machine."""
    models = [
        default_name("reranker", shipped=shipped) if name == DEFAULT else name
        for name in (settings.reranker, *settings.rerankers)
    ]
    return PublicNames(models[0], {name: name for name in models})


def encoder_names(settings: Settings, *, shipped: Path = BUILT_IN) -> PublicNames:
    """Returns the names of the encoder in *settings*. Names that are mapped to `default` are among them."""
    own = {settings.encoder, DEFAULT}
    if settings.encoder == DEFAULT:
        own.add(default_name("encoder", shipped=shipped))
    mapped = tuple((name, settings.encoder) for name, target in settings.model_names if target in own)
    return PublicNames.of("encoder", settings.encoder, (), mapped, shipped=shipped)


def _is_folder(name: str) -> bool:
    return not is_hub_id(name) or Path(name).expanduser().is_dir()


def _unused_name(name: str, used: set[str]) -> str:
    """Returns *name*, with a number if it is in *used*."""
    number = 1
    candidate = name
    while candidate in used:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
