"""Promotions: records of the models that replaced the built-in reranker as the default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rerank.core.errors import InvalidInput, ModelInvalid, ModelNotFound, NotFound
from rerank.core.settings import Settings
from rerank.models.catalog import DEFAULT
from rerank.models.json_file import replace_json
from rerank.models.rerank_file import read_object

PROMOTED_FILE = "promoted.json"
_CHOOSE_FOLDER = "Set RERANK_MODELS_HOME to another folder"


@dataclass(frozen=True)
class Promotion:
    """A model that became the default.

    model: an absolute folder path, a built-in name or a hub id. fingerprint: hash of the model at its promotion.
    promoted: ISO 8601 time, UTC. found: result of the comparison.
    """

    model: str
    fingerprint: str
    promoted: str
    found: Mapping[str, object]


class Promotions:
    """The promotions in a folder, in order. The latest promotion is the default."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / PROMOTED_FILE

    def all(self) -> list[Promotion]:
        """Returns all promotions that were not rolled back. Raises ModelInvalid for an unreadable file."""
        if not self._file.exists():
            return []
        try:
            entries = _File.model_validate(read_object(self._file)).reranker
        except ValidationError as exc:
            problem = exc.errors(include_url=False)[0]
            key = ".".join(map(str, problem["loc"]))
            raise ModelInvalid(
                f"{self._file}: {key}: {problem['msg']}. Fix the file, or delete it to use the built-in model"
            ) from exc
        return [Promotion(entry.model, entry.fingerprint, entry.promoted, entry.found) for entry in entries]

    def current(self) -> Promotion | None:
        """Returns the latest promotion, or None. Raises ModelInvalid for an unreadable file."""
        return next(reversed(self.all()), None)

    def add(self, promotion: Promotion) -> None:
        """Appends *promotion*. Raises InvalidInput if the folder is not writable."""
        self._write([*self.all(), promotion])

    def roll_back(self) -> tuple[Promotion, Promotion | None]:
        """Removes the latest promotion; returns it and the promotion before it, if any.

        Raises NotFound without promotions, and InvalidInput if the folder is not writable.
        """
        promotions = self.all()
        if not promotions:
            raise NotFound(f"{self._file} has no promotions: the built-in model is the default")
        self._write(promotions[:-1])
        return promotions[-1], promotions[-2] if len(promotions) > 1 else None

    def check_writable(self) -> None:
        """Raises InvalidInput if the folder is not writable; called before long work."""
        existing = next(path for path in [self._folder, *self._folder.resolve().parents] if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            raise InvalidInput(f"{self._folder} is not writable. {_CHOOSE_FOLDER}")

    def _write(self, promotions: list[Promotion]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_json(self._file, {"reranker": [asdict(promotion) for promotion in promotions]})
        except OSError as exc:
            raise InvalidInput(f"cannot write {self._file}: {exc.strerror}. {_CHOOSE_FOLDER}") from exc


def with_promoted(settings: Settings) -> Settings:
    """Returns *settings* with the promoted reranker, if any, in place of `default`.

    Raises ModelInvalid for an unreadable file of promotions, and ModelNotFound if the promoted folder is missing.
    """
    if settings.reranker != DEFAULT:
        return settings
    promotion = Promotions(Path(settings.models_home)).current()
    if promotion is None:
        return settings
    if Path(promotion.model).is_absolute() and not Path(promotion.model).is_dir():
        raise ModelNotFound(
            f"the promoted model {promotion.model} is missing. Restore the folder, or run `rerank-cli models rollback`"
        )
    return settings.model_copy(update={"reranker": promotion.model})


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str = Field(min_length=1)
    fingerprint: str
    promoted: str
    found: dict[str, object] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    reranker: list[_Entry] = Field(default_factory=list)
